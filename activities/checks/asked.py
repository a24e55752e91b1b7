"""Which checks a change has: those of its plan, of its service in the catalog, and of the policy, by name."""

from dataclasses import dataclass, field

from activities.checks.kind import Means
from activities.checks.registry import check_kind_of
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.checks import CheckView, PlannedCheck, planned, united, views_of
from holdpoint.models.policy import Obligations, ServiceFacts


@dataclass(frozen=True)
class Asked:
    """The checks before the first write, and those after the last."""

    before: list[PlannedCheck] = field(default_factory=list)
    after: list[PlannedCheck] = field(default_factory=list)

    @property
    def views(self) -> list[CheckView]:
        """Return them as people see them before anything has run."""
        return [*views_of(self.before, "before"), *views_of(self.after, "after")]


def asked_by(stored: StoredChange, service: ServiceFacts) -> Asked:
    """Return what the plan and the catalog ask for; of one name the catalog's counts.

    A rollback after success is checked after, and not before: it must be able to begin on ground that is not
    good, with images that are old. The policy may ask for more.
    """
    plan = stored.change.spec.plan
    before = united(planned(plan.prechecks, "plan"), planned(service.prechecks, "catalog"))
    return Asked(
        before=before if stored.rolls_back is None else [],
        after=united(planned(plan.postchecks, "plan"), planned(service.postchecks, "catalog")),
    )


def with_policys(asked: Asked, obligations: Obligations) -> Asked:
    """Return the same with what the policy asks for; of one name the policy's counts."""
    return Asked(
        before=united(asked.before, planned(obligations.prechecks, "policy")),
        after=united(asked.after, planned(obligations.postchecks, "policy")),
    )


def objections_to(asked: Asked, means: Means) -> list[str]:
    """Return which checks can never run under these settings, a sentence each: nothing may hang on them."""
    found = []
    for where, checks in (("prechecks", asked.before), ("postchecks", asked.after)):
        for check in checks:
            kind = check_kind_of(check.kind)
            why = kind.refusal(kind.config.model_validate(check.config), means)
            if why is not None:
                at = f"spec.plan.{where}" if check.by == "plan" else f"{where} of the {check.by}"
                found.append(f"The check {check.name} of {at} cannot run: {why}")
    return found
