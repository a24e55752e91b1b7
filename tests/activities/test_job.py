"""A Job of a step runs once, whatever happens to whoever runs it; a rollback takes it back, or says not."""

import asyncio
from typing import Any

import pytest

from activities.jobs import LONGEST_NAME, run_name
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef
from tests.activities.world import BETTER, World, deployment, until

UP, DOWN = "registry.example/migrate:up", "registry.example/migrate:down"


def job(name: str, image: str, **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": pod}, **spec},
    }


STEP = {"job": {"name": "migrate", "timeout": "20s", "undo": {"name": "migrate-down"}}}
FOR_GOOD = {"job": {"name": "migrate", "timeout": "20s", "cannotBeUndone": True}}
RUN, BACK = "migrate-chg-2-0", "migrate-down-chg-2-0-undo"


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.jobs.POLL", 0.05)


async def with_job(
    world: World, *steps: dict[str, Any], up: str = UP, down: str = DOWN, shop: bool = False
) -> None:
    """Have a change that migrates; with `shop` it then brings a better Deployment."""
    if shop:
        await world.deploy("chg-1", deployment(replicas=1))
    objects = [deployment(image=BETTER, replicas=1)] if shop else []
    objects += [job("migrate", up), job("migrate-down", down)]
    await world.submit("chg-2", *objects, steps=list(steps) or [STEP, *([{"apply": {}}] if shop else [])])
    await world.begin()


def ref(world: World, name: str) -> ObjectRef:
    return ObjectRef(
        cluster="sandbox", api_version="batch/v1", kind="Job", namespace=world.namespace, name=name
    )


def path(world: World, name: str) -> str:
    return f"/apis/batch/v1/namespaces/{world.namespace}/jobs/{name}"


async def live(world: World, name: str) -> dict[str, Any] | None:
    return await world.clusters.forward("sandbox").read(ref(world, name))


async def ends(world: World, name: str) -> str | None:
    found = await live(world, name)
    if found is None:
        return None
    conditions = (found.get("status") or {}).get("conditions") or []
    return str(conditions[0]["type"]) if conditions else "Running"


async def closed(world: World) -> bool:
    return not await world.open_forward()


def made(world: World) -> list[str]:
    """Return the names of the Jobs that our users have made, in order."""
    return [
        line["objectRef"]["name"]
        for line in world.writes()
        if line["objectRef"]["resource"] == "jobs" and line["responseStatus"]["code"] == 201
    ]


async def test_job_runs_under_the_name_of_its_ticket_and_step(world: World) -> None:
    await with_job(world)

    outcome = await world.finish_step()

    assert (outcome.status, outcome.reached, outcome.mutated) == ("done", 100.0, True)
    found = await live(world, RUN)
    assert found is not None
    assert (found["spec"]["activeDeadlineSeconds"], found["spec"]["ttlSecondsAfterFinished"]) == (20, 604800)
    assert found["metadata"]["annotations"]["holdpoint.dev/ticket"] == "chg-2"
    assert (await live(world, "migrate"), await live(world, BACK)) == (None, None)


async def test_job_is_made_once_however_often_it_is_retried(world: World) -> None:
    await with_job(world)
    await world.dies_after_sending()
    world.activities = world.again()
    await world.finish_step()

    again = await world.finish_step()

    assert again.status == "done"
    assert made(world) == [RUN]


async def test_worker_that_comes_back_waits_for_the_job_that_runs(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:slow", never_ready=True)
    await with_job(world, up="registry.example/migrate:slow")
    await world.dies_after_sending()
    world.activities = world.again()
    waiting = asyncio.create_task(world.finish_step())
    await until(lambda: closed(world))  # the second attempt has seen what the first has left

    world.sandbox.steer("behave", image="registry.example/migrate:slow")
    outcome = await waiting

    assert outcome.status == "done"
    assert made(world) == [RUN]


async def test_job_that_somebody_deleted_is_not_made_again(world: World) -> None:
    await with_job(world)
    await world.finish_step()
    world.sandbox.ask("DELETE", path(world, RUN))

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "was made and is gone" in outcome.reason.message
    assert made(world) == [RUN]


async def test_job_that_was_there_before_is_not_taken_for_a_run(world: World) -> None:
    stray = job(RUN, UP)
    await world.submit("chg-2", job("migrate", UP), steps=[FOR_GOOD])
    world.sandbox.ask("POST", path(world, "").rstrip("/"), json=stray)
    await world.begin()

    outcome = await world.finish_step()

    assert (outcome.status, outcome.mutated) == ("failed", False)
    assert outcome.reason is not None
    assert outcome.reason.code == "job_exists"


async def test_freeze_holds_it_and_lets_it_run_after(world: World) -> None:
    await with_job(world)
    freeze = world.freeze()

    held = await world.finish_step()
    world.lift(freeze)
    outcome = await world.finish_step()

    assert (held.status, held.mutated, outcome.status) == ("held", False, "done")
    assert made(world) == [RUN]


async def test_apply_leaves_the_jobs_of_steps_out(world: World) -> None:
    await with_job(world, shop=True)
    await world.finish_step()

    outcome = await world.finish_step(1)

    assert outcome.status == "done"
    assert (await world.live())["spec"]["template"]["spec"]["containers"][0]["image"] == BETTER
    assert await live(world, "migrate") is None
    assert (await world.postcheck()).passed


async def test_failed_job_fails_the_step_with_its_last_words(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:bad", error_rate=1)
    await with_job(world, up="registry.example/migrate:bad")

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "job_failed"
    assert "BackoffLimitExceeded: Job has reached the specified backoff limit" in outcome.reason.message
    assert "migrate exited with 1 (Error)" in outcome.reason.message


async def test_job_that_does_not_end_fails_at_its_deadline(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:stuck", never_ready=True)
    await with_job(world, {"job": {**FOR_GOOD["job"], "timeout": "1s"}}, up="registry.example/migrate:stuck")

    outcome = await world.finish_step()

    assert outcome.reason is not None
    assert "DeadlineExceeded" in outcome.reason.message


async def test_rollback_runs_the_undo_job_once_after_what_came_later(world: World) -> None:
    await with_job(world, shop=True)
    await world.finish_step()
    await world.finish_step(1)

    first = await world.undo()
    again = await world.undo()
    compared = await world.compare()

    assert (first.complete, again.complete) == (True, True)
    assert (compared.result, compared.differences, compared.stays) == ("restored", [], [])
    assert made(world) == [RUN, BACK]
    assert await ends(world, RUN) == "Complete"
    undone = [i.request.object.name for i in world.intents("undo")]
    assert undone == ["shop", BACK]


async def test_failed_job_is_taken_back_too(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:half", error_rate=1)
    await with_job(world, up="registry.example/migrate:half")
    await world.finish_step()

    await world.undo()

    assert made(world) == [RUN, BACK]
    assert (await world.compare()).result == "restored"


async def test_undo_ends_a_job_that_still_runs_before_it_takes_it_back(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:runs", never_ready=True)
    await with_job(world, up="registry.example/migrate:runs")
    await world.dies_after_sending()

    before = await world.compare()
    undone = await world.undo()

    assert before.differences == [f"Job/{RUN}: it still runs"]
    assert undone.complete
    assert await ends(world, RUN) == "Failed"
    found = await live(world, RUN)
    assert found is not None
    assert found["metadata"]["annotations"]["holdpoint.dev/ticket"] == "chg-2"
    assert (await world.compare()).result == "restored"


async def test_job_that_never_ran_is_not_taken_back(world: World) -> None:
    await with_job(world)
    world.freeze()
    await world.finish_step()

    await world.undo()

    assert made(world) == []
    assert (await world.compare()).result == "restored"


async def test_worker_that_dies_in_the_undo_runs_the_undo_job_no_second_time(world: World) -> None:
    await with_job(world)
    await world.finish_step()
    await world.undo()
    world.activities, world.run = world.again(), "another-run"
    await world.begin("undo")

    undone = await world.undo()

    assert undone.complete
    assert made(world) == [RUN, BACK]


async def test_undo_job_runs_while_the_ledger_is_down(world: World) -> None:
    await with_job(world)
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo()

    assert undone.deferred
    assert made(world) == [RUN, BACK]


async def test_job_that_was_deleted_after_it_ran_is_taken_back(world: World) -> None:
    await with_job(world)
    await world.finish_step()
    world.sandbox.ask("DELETE", path(world, RUN))

    await world.undo()

    assert made(world) == [RUN, BACK]
    assert (await world.compare()).result == "restored"


async def test_undo_job_that_fails_leaves_a_partial_rollback_and_is_not_repeated(world: World) -> None:
    world.sandbox.steer("behave", image="registry.example/migrate:no-way-back", error_rate=1)
    await with_job(world, down="registry.example/migrate:no-way-back")
    await world.finish_step()

    first = await world.undo()
    again = await world.undo()
    compared = await world.compare()

    assert (first.complete, again.complete) == (False, False)
    assert f"Job {BACK} failed" in first.message
    assert compared.result == "partial"
    assert compared.differences == [f"Job/{RUN}: what it did stays, for its undo Job/{BACK} failed"]
    assert made(world) == [RUN, BACK]


async def test_what_cannot_be_undone_stays_and_the_comparison_says_so(world: World) -> None:
    await with_job(world, FOR_GOOD, {"apply": {}}, shop=True)
    await world.finish_step()
    await world.finish_step(1)

    undone = await world.undo()
    compared = await world.compare()

    assert undone.complete
    assert (compared.result, compared.differences) == ("restored", [])
    assert compared.stays == [f"Job/{RUN} ran, and nothing takes back what it did (cannotBeUndone)"]


async def test_plan_says_what_a_rollback_does_about_it(world: World) -> None:
    await with_job(world, STEP, FOR_GOOD)

    assert [step.warnings for step in world.plan] == [
        ["Job migrate runs once; a rollback runs Job migrate-down to take it back."],
        ["Job migrate runs once, and nothing takes back what it does: a rollback leaves it."],
    ]
    assert world.plan[0].config == {
        "name": "migrate",
        "timeout": 20.0,
        "undo": {"name": "migrate-down"},
        "cannotBeUndone": False,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(deployment("migrate"), "Unknown Job: migrate is not among", id="no job"),
        pytest.param(job("migrate", UP, suspend=True), "Suspended Job", id="suspended"),
        pytest.param(job("migrate", UP, ttlSecondsAfterFinished=60), "Job gone too soon", id="gone too soon"),
    ],
)
async def test_job_that_cannot_run_once_is_a_mistake(world: World, given: Any, said: str) -> None:
    with pytest.raises(StepConfig, match=said) as refused:
        await world.submit("chg-1", given, steps=[FOR_GOOD])

    assert refused.value.detail["mistakes"][0]["field"] == "spec.plan.steps[0].job"


def test_long_name_is_cut_and_keeps_what_makes_it_this_run() -> None:
    name = run_name("m" * 80, "chg-7", 3, undo=True)

    assert len(name) == LONGEST_NAME
    assert name.endswith("m-chg-7-3-undo")
