"""Evaluate a change of many targets: each as if it went there alone, and then all of it as one question."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeVar

from activities.altered import Altered
from activities.evaluation import Gathered, Sources, gather
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.plan_diff import of_many

A = TypeVar("A")
R = TypeVar("R")

AT_ONCE = 4
"""Targets that are asked about at one time: each renders the source, and asks its cluster for all of it."""


def cluster_in(target: str) -> str:
    """Return the cluster's name: the first part of the target's key."""
    return target.partition("/")[0]


async def each(of: Iterable[A], ask: Callable[[A], Awaitable[R]]) -> list[R]:
    """Return every answer, in order, a few asked at a time. Raises what the first failing one raised."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: A) -> R:
        async with gate:
            return await ask(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in of]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed  # the first one; the others were cancelled
    return [task.result() for task in tasks]


async def gather_all(
    sources: Sources, stored: StoredChange, *, purpose: Literal["submit", "release", "check"], now: datetime
) -> Gathered:
    """Return the whole input of one decision, over all targets. Raises as `gather` does."""
    if not stored.targets:
        return await gather(sources, stored, purpose=purpose, now=now)

    async def at(target: str) -> Gathered:
        return await gather(sources, stored.at(target), purpose=purpose, now=now)

    return _as_one(stored, await each(stored.targets, at))


def _as_one(stored: StoredChange, found: list[Gathered]) -> Gathered:
    """Return one question: the plan of the first, the diffs of all; what is not the same is unknown."""
    first = found[0].question
    alters = Altered(of_many([one.altered.diff for one in found]))
    same_diff = all(one.question.diff == first.diff for one in found)
    question = first.model_copy(
        update={
            "targets": stored.targets,
            "plan_diff": alters.facts,
            "diff": first.diff if same_diff else "unknown",
        }
    )
    told = list(zip(stored.targets, found, strict=True))
    return replace(
        found[0],
        question=question,
        altered=alters,
        objections=_named([(target, one.objections) for target, one in told]),
        said=_named([(target, [*one.said, *_of_steps(one)]) for target, one in told]),
        plans={target: one.plan for target, one in told},
    )


def _of_steps(found: Gathered) -> list[str]:
    return [f"{step.name}: {warning}" for step in found.plan for warning in step.warnings]


def _named(told: list[tuple[str, list[str]]]) -> list[str]:
    """Return each sentence with the cluster that it is of; what is said of every one stands alone."""
    everywhere = [text for text in told[0][1] if all(text in texts for _, texts in told)]
    some = [
        f"{cluster_in(target)}: {text}" for target, texts in told for text in texts if text not in everywhere
    ]
    return list(dict.fromkeys([*everywhere, *some]))
