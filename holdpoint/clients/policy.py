"""The policy engine: one question, one document as the answer, and no answer is never an allow.

The only place that knows OPA's entry point and what `opa-python-client` 3.0.0 does that is surprising:

- An undefined decision has no `result` key: that is a denial here.
- Errors leave as `aiohttp` exceptions without OPA's own words: policy_connections.py reads them first.
- It retries some statuses and never a 503: it is told not to, and this file retries.
- It sends no token unless it is given one at construction: policy_connections.py keeps a client by token.
"""

import asyncio
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, cast

import aiohttp
import rfc8785
from pydantic import Field, ValidationError

from holdpoint.clients.access import Stamp, stamp
from holdpoint.clients.policy_connections import Connections, Refused
from holdpoint.models.artifact import Soak
from holdpoint.models.base import StrictModel
from holdpoint.models.checks import CheckSpecs
from holdpoint.models.errors import PolicyBundle, UpstreamUnavailable
from holdpoint.models.policy import ApprovalNeed, Decision, Obligations, PolicyInput
from holdpoint.models.ticket import Risk

PACKAGE, RULE = "holdpoint", "decision"
"""The entry point, `data.holdpoint.decision`. Nobody else asks for it."""

PROVENANCE = {"provenance": "true"}
"""Asks for the revision of the policies beside the decision."""

TIMEOUT = 5.0
"""Seconds for one answer; a decision takes a millisecond, so this only bounds a process that hangs."""

PAUSES = (0.1, 0.4)
"""Seconds between attempts of one call: an OPA that restarts is back by then. Longer is the caller's."""

REVISION = "policy_revision"
"""Names the hold of a ticket whose decision came from other policies than the expected ones."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Risk(StrictModel):
    """Risk as the policy must answer it."""

    level: Literal["low", "medium", "high"]
    reasons: list[str]


class _Approvals(StrictModel):
    """Approvals as the policy must answer them: a missing count is no answer."""

    count: Annotated[int, Field(ge=0, le=20)]
    groups: list[str]
    remind_after: Seconds
    escalate_after: Seconds
    expire_after: Seconds


class _Soak(StrictModel):
    environment: str
    seconds: Seconds


class _Obligations(StrictModel):
    """Obligations as the policy must answer them; every hold must have a bound."""

    window: bool
    soak: _Soak | None = None  # who says nothing of it has nothing waited for
    checks: list[str]
    prechecks: CheckSpecs = []  # who says nothing of these asks for none
    postchecks: CheckSpecs = []
    recheck_after: Seconds = 30 * 60.0
    smallest_canary: Annotated[int, Field(ge=1, le=100)] | None
    review_within: Seconds | None
    supersede: bool = False  # who says nothing of it has each change run in its turn
    hold_bound: Seconds
    pause_bound: Seconds
    schedule_bound: Seconds


class _Document(StrictModel):
    """What `data.holdpoint.decision` must be, with nothing left to a default of ours but what came later."""

    deny: list[str]
    warn: list[str]
    risk: _Risk
    approvals: _Approvals
    obligations: _Obligations


class PolicyEngine(Protocol):
    """Whoever decides."""

    async def decide(self, question: PolicyInput) -> Decision:
        """Return the decision. Raises UpstreamUnavailable without an answer, PolicyBundle on a broken one."""


class OpaEngine:
    """A real OPA over HTTP. The token file is looked at in every call, so that a token may be changed.

    With `revision` only decisions from that revision of the policies count: while policies are rolled out,
    two OPAs must not decide the same change differently. `data.holdpoint` may come from several bundles; then
    it is their revisions, sorted, with commas.
    """

    def __init__(
        self, url: str, token_file: Path, *, revision: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._connections = Connections(url, timeout=timeout)
        self._host, self._port = self._connections.host, self._connections.port
        self._token_file, self._revision = token_file, revision
        self._read: tuple[Stamp | None, str] = None, ""

    async def decide(self, question: PolicyInput) -> Decision:
        """Return OPA's decision. Raises UpstreamUnavailable, and PolicyBundle when a policy is broken."""
        document = question.model_dump(mode="json")
        for pause in PAUSES:
            try:
                return await self._decided(document)
            except UpstreamUnavailable:
                await asyncio.sleep(pause)
        return await self._decided(document)

    async def close(self) -> None:
        """Close the connections to OPA."""
        await self._connections.close()

    async def _decided(self, document: dict[str, Any]) -> Decision:
        answer = await self._ask(document)
        found = revision_of(answer)
        if self._revision is not None and found != self._revision:
            raise UpstreamUnavailable(
                f"OPA at {self._host}:{self._port} decides by revision {found} of the policies; expected is "
                f"{self._revision} (policy_revision of the settings). No decision counts until they agree.",
                upstream=REVISION,
            )
        return decision_of(answer)

    async def ready(self) -> bool:
        """Tell whether OPA answers with a bundle loaded."""
        try:
            answer = await self._ask({})
        except (UpstreamUnavailable, PolicyBundle):
            return False
        return "result" in answer

    async def _ask(self, document: dict[str, Any]) -> dict[str, Any]:
        token = self._token()
        try:
            answer = await self._connections.query(token, document, PACKAGE, RULE, PROVENANCE)
        except Refused as error:
            self._read = None, ""  # perhaps the token is an old one
            raise _refusal(error) from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._no_answer(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise self._no_answer("no object")
        return cast("dict[str, Any]", answer)

    def _no_answer(self, why: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(
            f"OPA did not answer at {self._host}:{self._port}: {why}.", upstream="policy"
        )

    def _token(self) -> str:
        """Return what the token's file says now; it is read again when it is another one."""
        try:
            seen = stamp(self._token_file)
            if seen != self._read[0]:
                self._read = seen, self._token_file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UpstreamUnavailable(
                f"The token for OPA cannot be read: {why}.", upstream="policy"
            ) from error
        return self._read[1]


class NullEngine:
    """Stands where there is no policy engine: it denies everything."""

    async def decide(self, question: PolicyInput) -> Decision:
        """Return a denial."""
        return denial("No policy engine is configured.", "none")


def revision_of(answer: dict[str, Any]) -> str:
    """Return the revision of the bundle that answered; of several, sorted and with commas."""
    bundles = (answer.get("provenance") or {}).get("bundles") or {}
    return ",".join(sorted(str(bundle.get("revision", "")) for bundle in bundles.values())) or "unknown"


def decision_of(answer: dict[str, Any]) -> Decision:
    """Return the decision in OPA's answer; a missing or malformed `result` is a denial."""
    revision = revision_of(answer)
    if "result" not in answer:
        return denial("The policy gave no decision (its entry point is undefined).", revision)
    try:
        document = _Document.model_validate(answer["result"], strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        return denial(f"The policy's decision is malformed: {field}: {first['msg']}.", revision)
    return _decision(document, revision)


def _decision(document: _Document, revision: str) -> Decision:
    return Decision(
        deny=document.deny,
        warn=document.warn,
        risk=Risk(**vars(document.risk)),
        approvals=ApprovalNeed(**vars(document.approvals)),
        obligations=Obligations(**{**vars(document.obligations), "soak": _soak(document.obligations.soak)}),
        revision=revision,
        digest=_digest(document),
    )


def _soak(asked: _Soak | None) -> Soak | None:
    return None if asked is None else Soak(environment=asked.environment, seconds=asked.seconds)


def _digest(document: _Document) -> str:
    """Return the digest of what binds: not reasons and warnings, whose words move with counts and hours."""
    # Without a soak it has the digest that it had before there were any: approvals outlast an upgrade.
    soaks = document.obligations.soak is not None
    binding = document.model_dump_json(
        include={"deny", "approvals", "obligations"}, exclude=None if soaks else {"obligations": {"soak"}}
    )
    return _digest_of(document.risk.level, binding)


@lru_cache(maxsize=1000)
def _digest_of(level: str, binding: str) -> str:
    # Nearly all decisions bind to the same few contents, and RFC 8785 in Python takes a while.
    content = rfc8785.dumps({**json.loads(binding), "risk": level})
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def denial(message: str, revision: str) -> Decision:
    """Return a decision that denies, for where the policy gave none."""
    content = rfc8785.dumps({"deny": [message]})
    return Decision(
        deny=[message],
        risk=Risk(level="high", reasons=[message]),
        revision=revision,
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
    )


def _refusal(refused: Refused) -> UpstreamUnavailable | PolicyBundle:
    """Return what an error status of OPA means; its own words are in the body."""
    status, body = refused.status, refused.body
    code = body.get("code", "") if isinstance(body, dict) else ""
    if status == 400 or (status == 500 and code == "internal_error"):
        return PolicyBundle(f"The policy cannot be evaluated: {_words(body)}. Run `holdpoint policy test`.")
    if status in (401, 403):
        return UpstreamUnavailable("OPA refused our token, or has no policies loaded yet.", upstream="policy")
    return UpstreamUnavailable(f"OPA answered {status}.", upstream="policy")


def _words(body: Any) -> str:
    errors = body.get("errors") if isinstance(body, dict) else None
    details = [str(item.get("message", "")) for item in errors or [] if isinstance(item, dict)]
    return (
        "; ".join([str(body.get("message", "")), *details])[:500] if isinstance(body, dict) else "no reason"
    )
