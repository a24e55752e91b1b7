"""The contracts against what is registered: each name, with the types of its argument and result."""

import inspect
from typing import Any, get_type_hints

import pytest
from temporalio import activity, workflow

from activities.archive import ArchiveActivities
from activities.checks.activity import CheckActivities
from activities.rollout import RolloutActivities
from activities.takeover import TakeoverActivities
from activities.ticket import TicketActivities
from holdpoint.models import contracts
from holdpoint.models.contracts import Named
from holdpoint.models.timed_steps import TIMED_KINDS
from tests.workflows.conftest import WORKFLOWS
from workflows.canary import TIMED
from workflows.limits import LIMITS
from workflows.ticket import ChangeTicket

CLASSES = (ArchiveActivities, CheckActivities, RolloutActivities, TakeoverActivities, TicketActivities)


def hints(function: Any) -> tuple[type, type]:
    """Return the types of the one argument and of the result."""
    found = get_type_hints(function)
    result = found.pop("return")
    assert len(found) == 1, f"{function} takes one argument"
    return next(iter(found.values())), result


def by_name(named: tuple[Named[Any, Any], ...]) -> dict[str, tuple[type, type]]:
    """Return what contracts say, by name."""
    return {one.name: (one.argument, one.result) for one in named}


def test_every_activity_is_registered_as_its_contract_says() -> None:
    registered = {}
    for owner in CLASSES:
        for _, function in inspect.getmembers(owner, inspect.isfunction):
            definition = activity._Definition.from_callable(function)
            if definition is not None:
                registered[definition.name] = hints(function)

    assert registered == by_name(contracts.ACTIVITIES)


def test_every_activity_has_a_limit() -> None:
    assert set(LIMITS) == {named.name for named in contracts.ACTIVITIES}


@pytest.mark.parametrize("owner", WORKFLOWS, ids=lambda owner: owner.__name__)
def test_every_workflow_is_registered_as_its_contract_says(owner: type) -> None:
    expected = by_name((contracts.CHANGE_TICKET, contracts.ROLLOUT, contracts.CLOSE_ABANDONED))
    definition = workflow._Definition.must_from_class(owner)

    assert hints(definition.run_fn) == expected[str(definition.name)]
    assert definition.versioning_behavior is not None


def test_every_update_is_registered_with_a_validator_as_its_contract_says() -> None:
    updates = workflow._Definition.must_from_class(ChangeTicket).updates

    assert {str(name): hints(update.fn) for name, update in updates.items()} == by_name(contracts.UPDATES)
    assert [name for name, update in updates.items() if update.validator is None] == []


def test_every_signal_and_query_has_the_name_that_others_send() -> None:
    said = {
        owner.__name__: sorted(map(str, workflow._Definition.must_from_class(owner).signals))
        for owner in WORKFLOWS
    }
    asked = {
        owner.__name__: sorted(map(str, workflow._Definition.must_from_class(owner).queries))
        for owner in WORKFLOWS
    }

    assert said["ChangeTicket"] == sorted(
        [contracts.SIGNAL_WAKE, contracts.SIGNAL_ABORT, contracts.SIGNAL_PROGRESS]
    )
    told = [contracts.SIGNAL_WAKE, contracts.SIGNAL_CONTROL, contracts.SIGNAL_STAND_BY]
    assert said["Rollout"] == sorted(told)
    assert asked == {"ChangeTicket": ["state"], "Rollout": ["state"], "CloseAbandoned": []}


def test_the_workflow_carries_out_exactly_the_steps_that_write_nothing() -> None:
    assert set(TIMED) == TIMED_KINDS
