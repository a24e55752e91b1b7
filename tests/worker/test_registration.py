"""Each name of the contracts against what the worker really registers."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from temporalio import activity, workflow
from temporalio.client import Client

from holdpoint.models import contracts
from holdpoint.models.errors import SettingsError
from holdpoint.models.settings import Settings
from worker.assembly import assemble, methods
from worker.main import WORKFLOWS
from worker.temporal import build_worker

# temporalio offers no public way to ask what a decorated class or function is registered as.
_workflow = workflow._Definition.must_from_class
_activity = activity._Definition.must_from_callable


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "blob.key").write_bytes(b"k" * 32)
    return Settings(
        data=tmp_path,
        ledger_url=f"sqlite:///{tmp_path}/ledger.db",
        temporal_address="127.0.0.1:1",
        opa_url="http://127.0.0.1:1",
        opa_token_file=tmp_path / "token",
        clusters={},
    )


@pytest.fixture
async def registered(settings: Settings) -> list[Callable[..., Any]]:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    async with assemble(settings, client) as parts:
        return parts.activities


async def test_every_activity_of_the_contract_is_registered_under_its_name(
    registered: list[Callable[..., Any]],
) -> None:
    assert [_activity(method).name for method in registered] == [a.name for a in contracts.ACTIVITIES]


async def test_activities_take_and_return_what_the_contract_says(
    registered: list[Callable[..., Any]],
) -> None:
    for method, named in zip(registered, contracts.ACTIVITIES, strict=True):
        hints = get_type_hints(method)
        parameters = list(inspect.signature(method).parameters)
        assert len(parameters) == 1, named.name
        assert (hints[parameters[0]], hints["return"]) == (named.argument, named.result), named.name


@pytest.mark.parametrize(
    ("registered_class", "named"),
    list(
        zip(
            WORKFLOWS,
            (contracts.CHANGE_TICKET, contracts.ROLLOUT, contracts.CLOSE_ABANDONED),
            strict=True,
        )
    ),
    ids=lambda value: getattr(value, "name", ""),
)
def test_workflows_are_what_the_contract_says(registered_class: type, named: Any) -> None:
    definition = _workflow(registered_class)

    assert definition.name == named.name
    assert definition.arg_types == [named.argument]
    assert definition.ret_type is named.result
    assert definition.versioning_behavior is not None
    assert definition.versioning_behavior.name == "PINNED"


def test_a_ticket_answers_every_update_and_signal_of_the_contract() -> None:
    definition = _workflow(WORKFLOWS[0])

    assert {update.name for update in contracts.UPDATES} <= set(definition.updates)
    assert {contracts.SIGNAL_WAKE, contracts.SIGNAL_ABORT, contracts.SIGNAL_PROGRESS} <= set(
        definition.signals
    )
    assert contracts.QUERY_STATE in definition.queries


def test_every_update_of_a_ticket_has_a_validator() -> None:
    definition = _workflow(WORKFLOWS[0])

    assert [name for name, update in definition.updates.items() if update.validator is None] == []


async def test_the_sandbox_accepts_the_workflows(
    registered: list[Callable[..., Any]], client: Client
) -> None:
    build_worker(client, workflows=WORKFLOWS, activities=registered, interceptors=[], build="1")


def test_an_activity_that_nobody_carries_out_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="evaluate"):
        methods(object())


async def test_a_missing_blob_key_stops_the_start(settings: Settings) -> None:
    (settings.data / "keys" / "blob.key").unlink()
    client = await Client.connect("127.0.0.1:1", lazy=True)

    with pytest.raises(SettingsError, match=r"blob\.key"):
        async with assemble(settings, client):
            pass
