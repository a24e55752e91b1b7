"""The table of transitions, and the page that draws it."""

import re
from pathlib import Path

import pytest

from holdpoint.models.phases import TERMINAL, TRANSITIONS, Phase

PAGE = Path(__file__).parents[2] / "docs" / "ticket-life.md"


def test_the_page_draws_exactly_the_transitions_of_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", PAGE.read_text(), re.MULTILINE))

    assert drawn == {(old.value, new.value) for old, news in TRANSITIONS.items() for new in news}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_in_the_table_and_can_be_reached(phase: Phase) -> None:
    reached = {new for news in TRANSITIONS.values() for new in news} | {Phase.EVALUATING}

    assert phase in TRANSITIONS
    assert phase in reached


@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_nothing_leads_out_of_a_terminal_phase_but_what_mends_a_failed_rollback(phase: Phase) -> None:
    mended = {Phase.ROLLING_BACK, Phase.ROLLED_BACK}

    assert TRANSITIONS[phase] == (mended if phase is Phase.ROLLBACK_FAILED else frozenset())


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.terminal])
def test_every_open_phase_can_reach_an_end(phase: Phase) -> None:
    seen, ahead = {phase}, [phase]
    while ahead:
        ahead = [new for old in ahead for new in TRANSITIONS[old] if new not in seen]
        seen |= set(ahead)

    assert seen & TERMINAL


def test_after_the_first_write_nothing_ends_as_if_nothing_was_touched() -> None:
    for phase in (Phase.VERIFYING, Phase.ROLLING_BACK):
        assert not TRANSITIONS[phase] & {Phase.ABORTED, Phase.FAILED, Phase.ERRORED}
