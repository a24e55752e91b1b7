"""The tree of errors. A "no" is data and moves the phase; an exception means "cannot go on".

    HoldpointError
      PermanentError    InvalidChange, InvalidRequest, NotFound, Conflict, AccessDenied, Unauthenticated,
                        StepConfig, PolicyBundle
      TransientError    UpstreamUnavailable, UpstreamRateLimited
      SettingsError     at startup only

`status` is the HTTP status of the problem, `exit_code` the command line's (a contract).
"""

from typing import Any, ClassVar


class HoldpointError(Exception):
    """Base of every error that Holdpoint raises on purpose. `code` is a constant, `message` is for people."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class PermanentError(HoldpointError):
    """Trying again cannot help."""

    code = "permanent"


class InvalidChange(PermanentError):
    """The submitted change has mistakes; `detail["mistakes"]` lists every one of them."""

    code = "invalid_change"
    status = 422
    exit_code = 2


class InvalidRequest(PermanentError):
    """A request to a door names something that cannot be; `detail["mistakes"]` lists what is allowed."""

    code = "invalid_request"
    status = 422
    exit_code = 2


class NotFound(PermanentError):
    """What was named does not exist."""

    code = "not_found"
    status = 404
    exit_code = 2


class Conflict(PermanentError):
    """The request does not fit the state that the thing is in now."""

    code = "conflict"
    status = 409
    exit_code = 5


class AccessDenied(PermanentError):
    """The caller is known and may not do this."""

    code = "access_denied"
    status = 403
    exit_code = 5


class Unauthenticated(PermanentError):
    """The caller has no valid token."""

    code = "unauthenticated"
    status = 401
    exit_code = 5


class StepConfig(PermanentError):
    """A step cannot run as it is configured; production was not touched by it."""

    code = "step_config"
    status = 422
    exit_code = 2


class PolicyBundle(PermanentError):
    """The policies do not compile, or an entry point is missing."""

    code = "policy_bundle"
    status = 500


class TransientError(HoldpointError):
    """Trying again may help; `retry_after` is in seconds where the upstream named one."""

    code = "transient"
    status = 503

    def __init__(self, message: str, *, retry_after: float | None = None, **detail: Any) -> None:
        super().__init__(message, **detail)
        self.retry_after = retry_after


class UpstreamUnavailable(TransientError):
    """An outside system did not answer, or answered that it cannot."""

    code = "upstream_unavailable"


class UpstreamRateLimited(TransientError):
    """An outside system asked us to slow down."""

    code = "upstream_rate_limited"


class SettingsError(HoldpointError):
    """The settings cannot be used; raised at startup only."""

    code = "settings"
    exit_code = 2
