"""How many replicas give which weight: the arithmetic of a canary by replicas.

A share is set by counting pods, so what is reached differs from what was asked for when there are few. The
number that is really reached is what is shown and judged.
"""

from math import ceil, floor

from holdpoint.models.plan import WeightPlan

TOLERANCE = 0.1
"""Part of the weight asked for that the weight reached may be away from it without a warning."""


def plan_weights(asked: list[int], *, stated: int | None, live: int | None) -> list[WeightPlan]:
    """Return what each weight comes to.

    `stated` is the manifest's replicas; None means that something else owns them (an autoscaler, or a
    person), and stable is then never touched. `live` is what runs now; None means that the Deployment does
    not exist: it is created whole, in one stage.
    """
    if live is None:
        return [
            WeightPlan(asked=asked[0], reached=100.0, canary=stated if stated is not None else 1, stable=0)
        ]
    return [plan_weight(weight, stated=stated, live=live) for weight in asked]


def plan_weight(asked: int, *, stated: int | None, live: int) -> WeightPlan:
    """Return what one weight comes to. 100 is the promotion: every replica is of the new version."""
    total = live if stated is None else stated
    if asked >= 100:
        return WeightPlan(asked=100, reached=100.0, canary=total, stable=0)
    if stated is None:
        canary, stable = max(1, _nearest(live * asked / (100 - asked))), live
    else:
        canary = max(1, _nearest(stated * asked / 100))
        stable = max(1, stated - canary)
    return WeightPlan(asked=asked, reached=share(canary, stable), canary=canary, stable=stable)


def plan_traffic(asked: list[int], *, stated: int | None, live: int | None) -> list[WeightPlan]:
    """Return the same for a canary whose requests a route shares out: exactly what was asked for.

    The canary has its part of the replicas, rounded up, and stable keeps all of its own: it can take every
    request again at any moment.
    """
    total = stated if stated is not None else live
    if live is None or total is None:
        return plan_weights(asked, stated=stated, live=live)
    return [
        WeightPlan(asked=100, reached=100.0, canary=total, stable=0)
        if weight >= 100
        else WeightPlan(
            asked=weight, reached=float(weight), canary=max(1, ceil(total * weight / 100)), stable=total
        )
        for weight in asked
    ]


def share(canary: int, stable: int) -> float:
    """Return the canary's share in percent, to one decimal; 0 when nothing runs."""
    return round(100 * canary / (canary + stable), 1) if canary + stable else 0.0


def warnings(weights: list[WeightPlan]) -> list[str]:
    """Return one sentence for each weight that the replicas cannot give, within a tenth of what was asked."""
    return [
        f"Weight {plan.asked} % is really {plan.reached:g} %: {plan.canary} of {_pods(plan)} pods."
        for plan in weights
        if abs(plan.asked - plan.reached) > plan.asked * TOLERANCE
    ]


def _pods(plan: WeightPlan) -> int:
    return plan.canary + plan.stable


def _nearest(value: float) -> int:
    """Return the nearest whole number, halves upwards (`round` would go to even)."""
    return floor(value + 0.5)
