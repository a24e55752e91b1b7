"""What may stop a stage. A "no" is data and never one of these."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType

from holdpoint.models import contracts
from holdpoint.models.errors import (
    HoldpointError,
    TransientError,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from holdpoint.models.ticket import Hold, HoldCode, Reason

TRANSIENT = frozenset(error.code for error in (TransientError, UpstreamUnavailable, UpstreamRateLimited))

UPSTREAMS = {
    "payload_key": HoldCode.PAYLOAD_KEY,
    "policy_revision": HoldCode.POLICY_REVISION,
    "ledger": HoldCode.LEDGER_DOWN,
    "policy": HoldCode.POLICY_DOWN,
    "opa": HoldCode.POLICY_DOWN,
    "git": HoldCode.GIT_DOWN,
    "repository": HoldCode.GIT_DOWN,
    "prometheus": HoldCode.PROVIDER_DOWN,
    "metrics": HoldCode.PROVIDER_DOWN,
    "no_data": HoldCode.NO_DATA,
    "cluster": HoldCode.CLUSTER_DOWN,
    "kubernetes": HoldCode.CLUSTER_DOWN,
}
"""Words by which the first sentence of an error names what did not answer."""

USUAL = {
    contracts.EVALUATE.name: HoldCode.POLICY_DOWN,
    contracts.PRECHECK.name: HoldCode.CLUSTER_DOWN,
    contracts.CHECK.name: HoldCode.PROVIDER_DOWN,
    contracts.BEGIN.name: HoldCode.CLUSTER_DOWN,
    contracts.APPLY_STEP.name: HoldCode.CLUSTER_DOWN,
    contracts.JUDGE.name: HoldCode.PROVIDER_DOWN,
    contracts.UNDO.name: HoldCode.CLUSTER_DOWN,
    contracts.COMPARE.name: HoldCode.CLUSTER_DOWN,
    contracts.HAND_BACK.name: HoldCode.CLUSTER_DOWN,
}
"""What an activity depends on most, for an error that names nobody. The others talk to the ledger only."""


class Stopped(Exception):
    """A person, a pipeline or Temporal's cancel wants this stage to end now."""


class Outage(Exception):
    """Something outside does not answer; trying again may help."""

    def __init__(self, code: HoldCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Broken(Exception):
    """This cannot go on; trying again cannot help."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Fallen(Exception):
    """The change itself did not hold: a step failed, or the analysis said `fail`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Lost(Exception):
    """This run no longer holds the target; whoever holds it answers for it."""

    def __init__(self, reason: Reason | None) -> None:
        message = "Another run has taken over the target; this one has stopped writing."
        self.reason = reason or Reason(code="lost", message=message)
        super().__init__(self.reason.message)


class Overdue(Exception):
    """A hold has reached its bound."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.message)
        self.hold = hold

    @property
    def reason(self) -> Reason:
        """Return why the ticket ends."""
        lasted = f"The hold `{self.hold.code.value}` has lasted as long as it may"
        return Reason(code="hold_expired", message=f"{lasted}: {self.hold.message}")


def of_activity(name: str, error: ActivityError) -> Exception:
    """Return what a failed round means: `Outage` where trying again may help, else `Broken`."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and isinstance(cause.cause, ApplicationError):
        # The SDK wraps what the payload codec says of an argument that it cannot open.
        cause = cause.cause if cause.type is None else cause
    if isinstance(cause, ApplicationError):
        message = cause.message or str(cause)
        if cause.type in TRANSIENT:
            return Outage(_upstream(name, cause), message)
        return Broken(Reason(code=cause.type or HoldpointError.code, message=message))
    if isinstance(cause, TimeoutError):
        return Outage(
            USUAL.get(name, HoldCode.LEDGER_DOWN), f"`{name}` did not answer in time ({_kind(cause)})."
        )
    return Broken(Reason(code=HoldpointError.code, message=f"`{name}` failed: {cause or error}"))


def bug(error: BaseException) -> Reason:
    """Return the reason of what only a mistake of ours can explain, and log it whole."""
    workflow.logger.error("workflow.broke", exc_info=error)
    return Reason(code=HoldpointError.code, message=f"Holdpoint broke: {type(error).__name__}: {error}"[:500])


def _kind(error: TimeoutError) -> str:
    return "no heartbeat" if error.type is TimeoutType.HEARTBEAT else "time limit"


def _upstream(name: str, error: ApplicationError) -> HoldCode:
    named = next(
        (item["upstream"] for item in error.details if isinstance(item, dict) and "upstream" in item), ""
    )
    words = f"{named} {error.message}".lower().replace("'", " ").split()
    return next(
        (UPSTREAMS[word] for word in words if word in UPSTREAMS), USUAL.get(name, HoldCode.LEDGER_DOWN)
    )


def seconds(span: timedelta) -> float:
    """Return a span in seconds, never negative."""
    return max(0.0, span.total_seconds())
