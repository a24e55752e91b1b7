"""What the policy obliges a plan to is held against the plan, and the refusal names the step."""

import pytest

from activities.evaluation import held_to
from holdpoint.models.plan import PlannedStep, WeightPlan
from holdpoint.models.policy import Decision, Obligations
from holdpoint.models.ticket import Risk

DIGEST = "sha256:" + "0" * 64


def a_decision(smallest: int | None) -> Decision:
    return Decision(
        deny=["No."],
        risk=Risk(level="high"),
        obligations=Obligations(smallest_canary=smallest),
        revision="r",
        digest=DIGEST,
    )


def a_canary(*asked: int, index: int = 0) -> PlannedStep:
    weights = [WeightPlan(asked=one, reached=50.0, canary=1, stable=1) for one in asked]
    return PlannedStep(index=index, name="canary shop", kind="canary", config={}, weights=weights)


AN_APPLY = PlannedStep(index=0, name="apply", kind="apply", config={})


@pytest.mark.parametrize(
    ("smallest", "plan"),
    [
        pytest.param(None, [a_canary(90)], id="no obligation"),
        pytest.param(10, [a_canary(10, 90)], id="exactly what is allowed"),
        pytest.param(10, [a_canary(5, 50)], id="what the replicas really give is not the plan's to say"),
        pytest.param(10, [AN_APPLY], id="no canary"),
    ],
)
def test_plan_that_keeps_its_obligations_is_decided_as_the_policy_said(
    smallest: int | None, plan: list[PlannedStep]
) -> None:
    assert held_to(a_decision(smallest), plan) == a_decision(smallest)


def test_each_canary_that_begins_too_large_is_denied_by_its_step() -> None:
    plan = [AN_APPLY, a_canary(11, index=1), a_canary(5, 50, index=2), a_canary(100, index=3)]

    held = held_to(a_decision(10), plan)

    assert held.deny[0] == "No."
    assert [one.split(" ")[5] for one in held.deny[1:]] == ["spec.plan.steps[1]", "spec.plan.steps[3]"]
    assert all("at most 10 %" in one for one in held.deny[1:])
    assert held.digest != DIGEST
