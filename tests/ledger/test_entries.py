"""Entries: appended once, kept as their canonical bytes, and the projection that rides on them."""

import hashlib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from holdpoint.ledger import entries, head, schema, tickets
from holdpoint.ledger.canonical import canonical, exact, parse
from holdpoint.ledger.merkle import Frontier, leaf_hash, root_of
from holdpoint.ledger.store import Ledger
from holdpoint.models.record import EntryDraft, Record

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_draft(key: str, **body: Any) -> EntryDraft:
    return EntryDraft(key=key, kind="phase.changed", actor="holdpoint", at=NOON, body=body)


def test_an_entry_is_its_canonical_bytes_and_their_leaf_hash(ledger: Ledger) -> None:
    ledger.write_now(entries.append_entry, a_draft("a", b=1, a=2.5), "chg-1")

    [entry] = ledger.read_now(entries.entries_of, "chg-1")
    leaf = ledger.read_now(lambda db: db.execute(select(schema.entries.c.leaf)).scalar_one())

    assert entry.body == {"a": 2.5, "b": 1}
    assert entry.raw.startswith(
        b'{"actor":"holdpoint","at":"2026-03-01T12:00:00.000Z","body":{"a":2.5,"b":1},'
    )
    assert leaf == hashlib.sha256(b"\x00" + entry.raw).digest()
    assert canonical(parse(entry.raw)) == entry.raw


def test_a_key_is_appended_once_in_a_ticket_and_again_in_another(ledger: Ledger) -> None:
    numbers = [ledger.write_now(entries.append_entry, a_draft("a"), name) for name in ("x", "x", "y", None)]

    assert numbers == [1, 1, 2, 3]


def test_a_record_appends_only_what_is_new(ledger: Ledger) -> None:
    first = Record(ticket="chg-1", entries=[a_draft("a"), a_draft("b")])
    again = Record(ticket="chg-1", entries=[a_draft("a"), a_draft("b"), a_draft("c")])

    assert ledger.write_now(entries.append, first) == [1, 2]
    assert ledger.write_now(entries.append, again) == [1, 2, 3]


def test_the_frontier_is_that_of_all_leaves(ledger: Ledger) -> None:
    for number in range(260):
        ledger.write_now(entries.append_entry, a_draft(str(number)), None)

    seen = ledger.read_now(head.read)
    leaves = ledger.read_now(
        lambda db: list(db.execute(select(schema.entries.c.leaf).order_by(schema.entries.c.seq)).scalars())
    )
    tiles = ledger.read_now(lambda db: list(db.execute(select(schema.tiles.c.hash)).scalars()))

    assert Frontier(seen.seq, seen.frontier).root() == root_of(leaves)
    assert tiles == [root_of(leaves[:256])]


def test_entries_after_a_number_come_in_order_and_bounded(ledger: Ledger) -> None:
    for number in range(5):
        ledger.write_now(entries.append_entry, a_draft(str(number)), "even" if number % 2 == 0 else "odd")

    assert [entry.seq for entry in ledger.read_now(entries.entries_after, 1, None, 2)] == [2, 3]
    assert [entry.seq for entry in ledger.read_now(entries.entries_after, 1, "even")] == [3, 5]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(value=json_values)
def test_the_quick_way_to_the_canonical_form_is_the_same(value: Any) -> None:
    told = exact(value)

    assert canonical(told) == rfc8785.dumps(told)


@pytest.mark.parametrize("point", [*range(0x20), 0x22, 0x5C, 0x7F, 0x80, 0x2028, 0xFFFF, 0x1F600])
def test_every_odd_character_is_written_as_the_rfc_has_it(point: int) -> None:
    assert canonical([chr(point)]) == rfc8785.dumps([chr(point)])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(math.nan, "nan", id="not a number"),
        pytest.param(math.inf, "inf", id="infinite"),
        pytest.param(2**53, "9007199254740992", id="integer beyond 2^53"),
        pytest.param(-0.0, 0, id="minus zero"),
        pytest.param("\ud800x", "\ufffdx", id="lone surrogate"),
        pytest.param({1: {2}}, {"1": [2]}, id="what JSON does not have"),
        pytest.param(NOON, "2026-03-01T12:00:00Z", id="a time"),
        pytest.param("\x00\u2028é", "\x00\u2028é", id="odd characters"),
    ],
)
def test_what_json_cannot_carry_is_kept_as_text(ledger: Ledger, value: Any, kept: Any) -> None:
    ledger.write_now(entries.append_entry, a_draft("a", value=value), None)

    [entry] = ledger.read_now(entries.entries_after, 0)

    assert entry.body["value"] == kept
    assert canonical(parse(entry.raw)) == entry.raw
    assert parse(canonical(exact(value))) == kept


def test_secrets_never_enter_the_record(ledger: Ledger) -> None:
    body = {"env": {"DB_PASSWORD": "hunter2"}, "note": "Authorization: Bearer abcdefghij"}
    ledger.write_now(entries.append_entry, a_draft("a", **body), None)

    [entry] = ledger.read_now(entries.entries_after, 0)

    assert b"hunter2" not in entry.raw
    assert b"abcdefghij" not in entry.raw


def test_a_patch_is_applied_only_with_a_new_last_entry(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    submitted("chg-1")
    first = Record(ticket="chg-1", entries=[a_draft("one")], patch={"phase": "Scheduled"})
    second = Record(ticket="chg-1", entries=[a_draft("two")], patch={"phase": "Prechecking"})

    for record in (first, second, first):
        ledger.write_now(entries.append, record)

    assert ledger.read_now(tickets.get_ticket, "chg-1").phase == "Prechecking"


def test_a_leaf_does_not_depend_on_how_the_body_was_ordered() -> None:
    one, other = json.loads('{"a":1,"b":[2]}'), json.loads('{"b":[2],"a":1}')

    assert leaf_hash(canonical(one)) == leaf_hash(canonical(other))
