"""Metrics: interface, Prometheus, and a null that says no data.

Every answer is a list of samples; an empty list means no data, and no data is never a pass. Values enter a
query only through `Query`, which escapes them: a name that holds quotes cannot change what is asked.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import httpx
from pydantic import Field

from holdpoint.clients.access import TokenFile
from holdpoint.models.base import Instant, Model
from holdpoint.models.errors import StepConfig, UpstreamRateLimited, UpstreamUnavailable

TIMEOUT = 2.0
"""Seconds for one question.

The judge asks each second, and a provider that hangs is a provider that is down.
"""

MAX_ANSWER = 8 * 1024 * 1024
_NOT_THE_QUERY = ("context deadline exceeded", "context canceled", "expanding series")
"""Storage that was too slow or away: Prometheus 3 answers it as it does a query that cannot be evaluated."""

WHOLE = {"partial_response": "false", "deny_partial_response": "1", "nocache": "1"}
"""Asks Thanos and VictoriaMetrics for an error where one of their stores is away, in place of what the others
have: a part of the pods would be judged as all of them. And asks VictoriaMetrics not to move the moments of a
range to those of its cache. Prometheus does not know these fields."""

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


class Query(Model):
    """An instant query at one moment. `text` is complete and its values are escaped."""

    text: str
    at: Instant


class RangeQuery(Model):
    """A query at every `step` seconds from `start` to `end`, both included. `text` is as in `Query`."""

    text: str
    start: Instant
    end: Instant
    step: float


class Sample(Model):
    """One series' value; NaN and infinities are kept, for the judge to refuse."""

    labels: dict[str, str] = {}
    value: float = Field(allow_inf_nan=True)


class Series(Model):
    """One series' values at the moments of a range (Unix seconds); where there was none, no point."""

    labels: dict[str, str] = {}
    points: list[tuple[float, Annotated[float, Field(allow_inf_nan=True)]]] = []


class Metrics(Protocol):
    """Where the numbers of a service come from. Both raise the same errors."""

    async def samples(self, query: Query) -> list[Sample]:
        """Return what the query gives at its moment; empty means no data.

        Raises UpstreamUnavailable when there is no answer, StepConfig when the query is refused.
        """

    async def series(self, query: RangeQuery) -> list[Series]:
        """Return what the query gives at the moments of a range; empty means no data."""


def selector(metric: str, labels: Mapping[str, str], patterns: Mapping[str, str] | None = None) -> str:
    """Return `metric{label="value",...}` with each value escaped.

    `patterns` are matched as regular expressions.
    """
    names = [metric, *labels, *(patterns or {})]
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise StepConfig(f"Not a metric or label name: {bad[0]!r}.")
    parts = [f'{name}="{escaped(value)}"' for name, value in labels.items()]
    parts += [f'{name}=~"{escaped(value)}"' for name, value in (patterns or {}).items()]
    return f"{metric}{{{','.join(parts)}}}"


def escaped(value: str) -> str:
    r"""Return the text as it stands inside double quotes of PromQL: `\`, `"` and line ends are escaped."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class PrometheusMetrics:
    """Any server with Prometheus' HTTP API; `base` is what stands before `/api/v1`.

    `tenant` goes along as `X-Scope-OrgID`, as Grafana Mimir and Thanos tell tenants apart.
    """

    def __init__(
        self,
        base: str,
        *,
        tenant: str | None = None,
        token: TokenFile | None = None,
        trusted: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base, self._token = base.rstrip("/"), token
        # The environment's proxies are not trusted: their answers would be judged as the service's numbers.
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            trust_env=False,
            transport=transport,
            verify=trusted,
            headers={} if tenant is None else {"X-Scope-OrgID": tenant},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def samples(self, query: Query) -> list[Sample]:
        """Return what the query gives at its moment; empty means no data."""
        form = {"query": query.text, "time": f"{query.at.timestamp():.3f}"}
        return _samples(_data(await self._ask("query", form)))

    async def series(self, query: RangeQuery) -> list[Series]:
        """Return what the query gives at the moments of a range; empty means no data."""
        start, end = f"{query.start.timestamp():.3f}", f"{query.end.timestamp():.3f}"
        form = {"query": query.text, "start": start, "end": end, "step": f"{query.step:g}"}
        return _series(_data(await self._ask("query_range", form)))

    async def _ask(self, route: str, form: Mapping[str, str]) -> httpx.Response:
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token.value()}"}
        try:
            async with asyncio.timeout(TIMEOUT):  # httpx bounds each read only
                return await self._http.post(
                    f"{self._base}/api/v1/{route}", data={**form, **WHOLE}, headers=headers
                )
        except (httpx.TimeoutException, TimeoutError) as error:
            raise UpstreamUnavailable(f"Prometheus gave no answer within {TIMEOUT:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamUnavailable(f"Prometheus gave no answer: {type(error).__name__}.") from error


class NullMetrics:
    """No metrics at all: every question is answered with no data, never with a pass."""

    async def samples(self, query: Query) -> list[Sample]:
        """Return no data."""
        return []

    async def series(self, query: RangeQuery) -> list[Series]:
        """Return no data."""
        return []


def _data(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the `data` of a success, or raise what the refusal means."""
    if answer.status_code == 429:
        raise UpstreamRateLimited("Prometheus asked us to slow down.")
    try:
        body = answer.json() if len(answer.content) <= MAX_ANSWER else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UpstreamUnavailable(
            f"Prometheus answered {answer.status_code} without a document that can be read."
        )
    said = str(body.get("error", ""))[:500]
    refused = answer.status_code in (400, 422) and body.get("errorType") in ("bad_data", "execution")
    storage = body.get("errorType") == "execution" and any(text in said for text in _NOT_THE_QUERY)
    if refused and not storage:
        raise StepConfig(f"Prometheus refused the query: {said}")
    if body.get("isPartial") is True:
        raise UpstreamUnavailable("Prometheus answered a part only: one of its stores is away.")
    data = body.get("data")
    if answer.status_code != 200 or body.get("status") != "success" or not isinstance(data, dict):
        raise UpstreamUnavailable(f"Prometheus answered {answer.status_code}: {said or 'no success'}")
    return data


def _samples(data: Mapping[str, Any]) -> list[Sample]:
    """Return the samples of an instant answer.

    Anything that is not a vector or a scalar is not understood.
    """
    kind, result = data.get("resultType"), data.get("result")
    try:
        if kind == "scalar" and isinstance(result, list):
            return [Sample(value=float(result[1]))]
        if kind == "vector" and isinstance(result, list):
            return [Sample(labels=item.get("metric", {}), value=float(item["value"][1])) for item in result]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamUnavailable("Prometheus answered with samples that cannot be read.") from error
    raise UpstreamUnavailable(f"Prometheus answered with {kind!r}, which is not a vector.")


def _series(data: Mapping[str, Any]) -> list[Series]:
    """Return the series of a range answer, which is always a matrix."""
    kind, result = data.get("resultType"), data.get("result")
    if kind != "matrix" or not isinstance(result, list):
        raise UpstreamUnavailable(f"Prometheus answered with {kind!r}, which is not a matrix.")
    try:
        return [
            Series(
                labels=item.get("metric", {}),
                points=[(float(moment), float(value)) for moment, value in item["values"]],
            )
            for item in result
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamUnavailable("Prometheus answered with series that cannot be read.") from error
