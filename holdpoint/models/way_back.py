"""From the plan of a change that succeeded to the plan that brings its version back, whole and at once.

What a plan states about objects is stated again, in its order. What it did once (a wait, a word of a person)
is over, and is not done again because somebody goes back: docs/decisions/0010-a-rollback-after-success.md.
"""

from holdpoint.models.change import ApplyConfig, Change, Plan, Step
from holdpoint.models.object_steps import ConfigConfig
from holdpoint.models.timed_steps import TIMED_KINDS
from holdpoint.models.waves import Waves

WHOLE = frozenset({"canary", "blueGreen"})
"""Kinds that bring objects in beside what runs. All of them together are one `apply` of all paths."""
STATED = frozenset({"apply", "delete", "config", "gitCommit"})
"""Kinds that say how objects, or the files that a controller makes them of, are to be."""
DONE_ONCE = TIMED_KINDS | {"job", "http"}
"""Kinds that are left out: what they were there for is over, and Verifying judges what comes back."""

LONGEST_TITLE = 200


def way_back(undone: Change, ticket: str, earlier: Change) -> Change | None:
    """Return the change that puts the earlier one's version in the place of what `ticket` brought.

    It is of the undone change's service, environment and type, and waits for no other ticket; None where no
    step says how objects are to be.
    """
    kept = [step for step in earlier.spec.plan.steps if step.kind not in DONE_ONCE]
    first = next((step for step in kept if step.kind in WHOLE), None)
    steps = [
        Step(name="apply whole", apply=ApplyConfig()) if step is first else step
        for step in kept
        if step is first or step.kind not in WHOLE
    ]
    if not steps:
        return None
    if _rolls(undone) and not _rolls(earlier):
        # Pods read what is applied when they start, so they must start again to read what was.
        steps.append(Step(name="read again", config=ConfigConfig()))
    checks = earlier.spec.plan.postchecks
    at_once = Waves(size=["100%"]) if undone.spec.targets else None
    plan = Plan(steps=steps, verify=earlier.verify_seconds, postchecks=checks, waves=at_once)
    title = f"Roll back {ticket} to: {earlier.metadata.title}"[:LONGEST_TITLE].rstrip()
    return earlier.model_copy(
        update={
            "metadata": undone.metadata.model_copy(update={"title": title}),
            "spec": earlier.spec.model_copy(update={"plan": plan, "dependsOn": [], **_there(undone)}),
        }
    )


def _there(undone: Change) -> dict[str, object]:
    """Return where it goes: where the undone change went, all targets at once."""
    return {"target": undone.spec.target, "targets": undone.spec.targets}


def _rolls(change: Change) -> bool:
    return any(step.config for step in change.spec.plan.steps)


def left_out(plan: Plan) -> list[str]:
    """Return the names of the steps that are not done again."""
    return [step.name or step.kind for step in plan.steps if step.kind in DONE_ONCE]
