"""An evidence file or an export that was touched in any way is found, and what was touched is named."""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from holdpoint.ledger import checkpoint, entries, export, intents, schema, targets
from holdpoint.ledger.canonical import canonical
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.statement import EXPORT
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.verify import verify_file
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.record import EntryDraft, IntentRequest, Opened, Record
from tests.ledger.databases import Databases, without_guards

HISTORY = b'{"events":[{"eventId":"1"}]}'
IMAGE = "registry.example/shop@sha256:" + "a" * 64

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECISION = {"decision": {"revision": "r1", "digest": "sha256:d"}, "input": {"images": [IMAGE]}}
DECIDED = Record(
    ticket="chg-1",
    entries=[
        EntryDraft(key="e", kind="policy.evaluated", actor="opa", at=MOMENT, body=DECISION),
        EntryDraft(key="p", kind="phase.changed", actor="holdpoint", at=MOMENT),
    ],
    patch={"phase": "Executing"},
)

Json = dict[str, Any]
Edit = Callable[[Json], Any]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer.load_or_create(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def tell(
    hold: Callable[[Ledger], None],
    submit: Callable[..., Any],
    a_request: Callable[..., IntentRequest],
) -> Callable[[Ledger], None]:
    """Tell a short story: submitted, decided, two writes each tried twice, released."""

    def story(ledger: Ledger) -> None:
        hold(ledger)
        submit(ledger, "chg-1")
        ledger.write_now(entries.append, DECIDED)
        for key in ("a", "b"):
            outcome = ledger.write_now(intents.open_intent, a_request(key))
            assert isinstance(outcome, Opened)
            intent = outcome.intent.id
            ledger.write_now(intents.fence_intent, intent, by="frz-1")
            ledger.write_now(intents.retry_intent, intent, "101", 5.0)
            ledger.write_now(intents.close_intent, intent, status="done", result={"ratio": 0.5})
        ledger.write_now(targets.release_target, target="sandbox/default/shop", run="run-1", clean=True)

    return story


@pytest.fixture
def told(ledger: Ledger, tell: Callable[[Ledger], None]) -> Ledger:
    tell(ledger)
    return ledger


@pytest.fixture(scope="module")
def files(databases: Databases, tell: Callable[[Ledger], None], signer: Signer) -> dict[str, bytes]:
    """Return the evidence and the export of one ledger; tests edit copies of them."""
    ledger = Ledger(databases.fresh())
    tell(ledger)
    ledger.write_now(checkpoint.publish, signer)
    made = {
        "evidence": ledger.read_now(export.build_evidence, "chg-1", signer=signer, history=HISTORY),
        "export": ledger.read_now(export.export_all, signer=signer),
    }
    ledger.close()
    return made


@pytest.fixture
def evidence(files: dict[str, bytes]) -> bytes:
    return files["evidence"]


@pytest.fixture
def exported(files: dict[str, bytes]) -> bytes:
    return files["export"]


def edited(data: bytes, edit: Edit) -> bytes:
    value = json.loads(data)
    edit(value)
    return canonical(value)


def predicate_of(data: bytes) -> Json:
    payload = json.loads(data)["statement"]["payload"]
    found: Json = json.loads(base64.b64decode(payload))["predicate"]
    return found


def reseal(value: Json, edit: Edit) -> None:
    """Edit the signed statement, as one can who does not have the key."""
    statement = json.loads(base64.b64decode(value["statement"]["payload"]))
    edit(statement)
    value["statement"]["payload"] = base64.b64encode(canonical(statement)).decode()


def test_untouched_files_verify(evidence: bytes, exported: bytes, signer: Signer) -> None:
    assert verify_file(evidence, signer.public.pem) == []
    assert verify_file(exported, signer.public.pem) == []


def test_evidence_without_history_verifies(told: Ledger, signer: Signer) -> None:
    data = told.read_now(export.build_evidence, "chg-1", signer=signer, history=None)

    assert verify_file(data, signer.public.pem) == []


def test_the_statement_says_who_decided_what_about_which_artifact(evidence: bytes) -> None:
    statement = json.loads(base64.b64decode(json.loads(evidence)["statement"]["payload"]))

    assert statement["subject"][0]["name"] == "chg-1"
    assert {"name": "registry.example/shop", "digest": {"sha256": "a" * 64}} in statement["subject"]
    assert [found["revision"] for found in statement["predicate"]["decisions"]] == ["r1"]
    assert [leaf["seq"] for leaf in statement["predicate"]["leaves"]] == [
        entry["seq"] for entry in json.loads(evidence)["entries"]
    ]


def test_an_export_lists_every_intent_with_its_attempts(exported: bytes) -> None:
    listed = json.loads(exported)["intents"]

    assert [[attempt["attempt"] for attempt in intent["attempts"]] for intent in listed] == [[1, 2], [1, 2]]
    assert {intent["status"] for intent in listed} == {"done"}


def test_the_rows_say_the_same_as_the_entries(told: Ledger, exported: bytes) -> None:
    listed = {intent["id"]: intent for intent in json.loads(exported)["intents"]}

    for row in told.read_now(intents.intents_of, "chg-1"):
        assert (listed[row.id]["status"], listed[row.id]["result"]) == (row.status, row.result)
        assert listed[row.id]["attempts"][-1]["audit_id"] == row.audit_id


ATTACKS: dict[str, tuple[Edit, str]] = {
    "a value in an entry": (lambda f: f["entries"][2].update(actor="someone"), r"entry \d+ .* was changed"),
    "a number in an entry": (lambda f: f["entries"][2].update(seq=999), r"entry 999 .* was added"),
    "a dropped entry": (lambda f: f["entries"].pop(1), r"entry \d+ \([a-z.]+\) was dropped"),
    "the last entry dropped": (lambda f: f["entries"].pop(), r"entry \d+ \(target.released\) was dropped"),
    "an added entry": (
        lambda f: f["entries"].append({**f["entries"][0], "seq": 500, "kind": "approval.given"}),
        r"entry 500 \(approval.given\) was added",
    ),
    "a doubled entry": (lambda f: f["entries"].append(f["entries"][0]), r"entry \d+ .* stands 2 times"),
    "two entries exchanged": (
        lambda f: f["entries"].insert(1, f["entries"].pop(2)),
        r"entry \d+ .* was moved",
    ),
    "all entries dropped": (lambda f: f["entries"].clear(), r"entry \d+ .* was dropped"),
    "an entry beside the fields": (lambda f: f.update(note="x"), r"file: note"),
    "a field beside the signature": (lambda f: f["statement"].update(note="x"), r"file: statement.note"),
    "another format": (lambda f: f.update(format="https://holdpoint.dev/other/v1"), r"file: its format"),
    "a second signature": (
        lambda f: f["statement"]["signatures"].append(f["statement"]["signatures"][0]),
        r"statement: it must have exactly one signature",
    ),
    "no signature": (lambda f: f["statement"]["signatures"].clear(), r"statement: it must have exactly one"),
    "another signer's name": (
        lambda f: f["statement"]["signatures"][0].update(keyid="0" * 64),
        r"statement: it is signed by the key 0000",
    ),
    "a leaf in the statement": (
        lambda f: reseal(f, lambda s: s["predicate"]["leaves"][0].update(leaf="0" * 64)),
        r"statement: its signature does not verify",
    ),
    "an approval in the statement": (
        lambda f: reseal(f, lambda s: s["predicate"].update(approvals={})),
        r"statement: its signature does not verify",
    ),
    "an entry and its leaf": (
        lambda f: reseal(f, lambda s: [f["entries"].pop(0), s["predicate"]["leaves"].pop(0)]),
        r"statement: its signature does not verify",
    ),
    "another checkpoint": (
        lambda f: reseal(f, lambda s: s["predicate"].update(checkpoint="x")),
        r"checkpoint: ",
    ),
    "a payload that is not canonical": (
        lambda f: f["statement"].update(payload=base64.b64encode(b"{ }").decode()),
        r"statement: its payload is not canonical",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", ["evidence", "export"])
def test_every_attack_is_found_and_named(
    attack: str, kind: str, files: dict[str, bytes], signer: Signer
) -> None:
    edit, named = ATTACKS[attack]
    data = edited(files[kind], edit)

    problems = "\n".join(verify_file(data, signer.public.pem))

    assert re.search(named, problems), problems


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param(lambda f: f.update(history=None), "history: it was dropped", id="dropped"),
        pytest.param(
            lambda f: f.update(history=base64.b64encode(b"{}").decode()),
            "history: it was changed",
            id="changed",
        ),
        pytest.param(lambda f: f.update(history=f["history"] + "!"), "history: it is not base64", id="bytes"),
    ],
)
def test_a_touched_history_is_named(evidence: bytes, signer: Signer, edit: Edit, named: str) -> None:
    assert any(named in found for found in verify_file(edited(evidence, edit), signer.public.pem))


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param(lambda f: f["intents"].pop(), "dropped from the list", id="dropped"),
        pytest.param(
            lambda f: f["intents"][0].update(status="open"), "not as its entries tell", id="changed"
        ),
        pytest.param(lambda f: f["intents"][0]["attempts"].pop(), "not as its entries tell", id="attempt"),
        pytest.param(lambda f: f["intents"].append({"id": "i0"}), "intent i0: no entry tells", id="added"),
        pytest.param(lambda f: f["intents"].reverse(), "not in the order", id="reordered"),
    ],
)
def test_a_touched_list_of_intents_is_named(exported: bytes, signer: Signer, edit: Edit, named: str) -> None:
    assert any(named in found for found in verify_file(edited(exported, edit), signer.public.pem))


@pytest.mark.parametrize("kind", ["evidence", "export"])
def test_every_changed_byte_is_found(kind: str, files: dict[str, bytes], signer: Signer) -> None:
    data = files[kind]

    for at in range(0, len(data), 29):
        touched = bytearray(data)
        touched[at] ^= 1
        assert verify_file(bytes(touched), signer.public.pem), f"byte {at} of {data[at - 20 : at + 20]!r}"


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda data: json.dumps(json.loads(data), indent=1).encode(), id="indented"),
        pytest.param(lambda data: data + b"\n", id="a newline after it"),
        pytest.param(lambda data: b" " + data, id="a space before it"),
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="a byte order mark"),
        pytest.param(lambda data: data.replace(b'{"entries":', b'{"entries":[],"entries":', 1), id="twice"),
        pytest.param(lambda data: data.replace(b"chg-1", b"chg\\u002d1", 1), id="an escape"),
        pytest.param(lambda data: data.replace(b'"ratio":0.5', b'"ratio":0.50', 1), id="another number"),
        pytest.param(lambda data: data[:-1], id="cut short"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"[" * 100_000, id="very deep"),
        pytest.param(lambda _: b"[" * 500 + b"]" * 500, id="deep"),
        pytest.param(lambda _: b'{"format":' + b"9" * 5000 + b"}", id="a huge number"),
        pytest.param(lambda _: b"null", id="nothing"),
    ],
)
def test_a_file_in_another_form_is_refused(
    evidence: bytes, signer: Signer, rewrite: Callable[[bytes], bytes]
) -> None:
    problems = verify_file(rewrite(evidence), signer.public.pem)

    assert problems
    assert problems[0].startswith("file: ")


def test_another_public_key_verifies_nothing(evidence: bytes, tmp_path: Path) -> None:
    other = Signer.load_or_create(tmp_path / "other")

    problems = verify_file(evidence, other.public.pem)

    assert any(found.startswith("statement: it is signed by the key") for found in problems)
    assert any("signature does not verify" in found for found in problems)


@pytest.mark.parametrize(
    "pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_public_key_is_named(evidence: bytes, pem: bytes) -> None:
    assert verify_file(evidence, pem)[0].startswith("public key: ")


def test_one_files_statement_does_not_serve_for_another(
    evidence: bytes, exported: bytes, signer: Signer
) -> None:
    def swap(value: Json) -> None:
        del value["history"]
        value.update(format=EXPORT, intents=json.loads(exported)["intents"])

    problems = verify_file(edited(evidence, swap), signer.public.pem)

    assert any("it is not the statement of" in found for found in problems)


def test_an_older_files_entries_do_not_pass_for_a_newer_one(told: Ledger, signer: Signer) -> None:
    older = told.read_now(export.build_evidence, "chg-1", signer=signer, history=HISTORY)
    draft = EntryDraft(key="late", kind="ticket.archived", actor="x", at=datetime.now(UTC))
    told.write_now(entries.append_entry, draft, "chg-1")
    newer = json.loads(told.read_now(export.build_evidence, "chg-1", signer=signer, history=HISTORY))

    problems = verify_file(edited(older, lambda f: f.update(statement=newer["statement"])), signer.public.pem)

    assert len(problems) == 1
    assert "(ticket.archived) was dropped" in problems[0]


def test_what_was_edited_in_the_database_is_never_signed(told: Ledger, signer: Signer) -> None:
    def rewrite(db: Connection) -> None:
        without_guards(db)
        entry = update(schema.entries).where(schema.entries.c.key == "chg-1/e")
        raw = db.execute(select(schema.entries.c.raw).where(schema.entries.c.key == "chg-1/e")).scalar_one()
        db.execute(entry.values(raw=raw.replace(b"opa", b"me!")))

    told.write_now(rewrite)

    with pytest.raises(Conflict, match="edited"):
        told.read_now(export.export_all, signer=signer)
    with pytest.raises(Conflict, match=r"edited: entry \d+ \(policy.evaluated\)"):
        told.read_now(export.build_evidence, "chg-1", signer=signer, history=None)


def test_an_unknown_ticket_has_no_evidence(ledger: Ledger, signer: Signer) -> None:
    with pytest.raises(NotFound):
        ledger.read_now(export.build_evidence, "chg-0", signer=signer, history=None)


def test_an_empty_ledger_exports_and_verifies(ledger: Ledger, signer: Signer) -> None:
    data = ledger.read_now(export.export_all, signer=signer)

    assert verify_file(data, signer.public.pem) == []
    assert predicate_of(data)["leaves"] == []
