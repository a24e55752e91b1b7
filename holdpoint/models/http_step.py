"""The step kind `http`, as it is written in a change file: one request, and what takes it back."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Name
from holdpoint.models.durations import Duration
from holdpoint.models.http_names import check_body, check_expected, check_headers, check_http_url

OUTSIDE_KINDS = frozenset({"http"})
"""Step kinds whose effect is outside of any cluster: no object shows it, and they need no right in one."""

SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 1.0, 900.0

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
Status = Annotated[int, Field(ge=200, le=410)]


def check_timeout(seconds: float) -> float:
    """Return `seconds` if a step may take so long over its request. Raises ValueError."""
    if not SHORTEST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("must be from 1s to 15m")
    return seconds


class HttpRequest(StrictModel):
    """One request. Its `Idempotency-Key` is made from ticket and step, and is the same at every attempt."""

    method: Method = Field(description="What is asked of the server.")
    url: Annotated[str, AfterValidator(check_http_url)] = Field(
        description="An http or https address below one of `http_allow` of the settings."
    )
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict,
        max_length=20,
        description="Headers besides those that Holdpoint sets; never a secret.",
    )
    body: Annotated[Any, AfterValidator(check_body)] = Field(
        default=None, description="A value, sent as JSON, or a text, sent as it is; at most 64 KiB."
    )
    expect: Annotated[list[Status], AfterValidator(check_expected)] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="The statuses that mean that it was done; 200 to 299, 404, 409, 410. Default: any 2xx.",
    )

    def expects(self, status: int) -> bool:
        """Tell whether an answer of this status means that it was done."""
        return 200 <= status <= 299 if self.expect is None else status in self.expect


class HttpConfig(HttpRequest):
    """Send one HTTP request, as often as it takes and with one idempotency key, until its answer is there."""

    timeout: Annotated[Duration, AfterValidator(check_timeout)] = Field(
        default=60.0,
        description="How long it may take with every repetition, 1s to 15m; one attempt has 30s at most.",
    )
    credential: Name | None = Field(
        default=None, description="One of `http_credentials` of the settings; it is sent in a header."
    )
    undo: HttpRequest | None = Field(
        default=None,
        description="The request that a rollback sends. Without it nothing takes the step back: high risk.",
    )

    def planned(self) -> dict[str, Any]:
        """Return the fields that say how it is sent, without what is sent."""
        return {"timeout": self.timeout, "credential": self.credential, "cannotBeUndone": self.undo is None}
