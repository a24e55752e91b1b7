"""Judges of the user's own: webhooks of the settings that say what they think of a canary.

docs/judge.md has the request and the answer, version `holdpoint.dev/judge/v1`. A change file names one by its
name only; address and token stand in the settings. Whatever is not a whole answer in time is an outage, so
that the canary is held: never a pass, and never a fail.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field, ValidationError

from holdpoint.clients.access import TokenFile, trusted
from holdpoint.models.base import Instant, Model
from holdpoint.models.errors import StepConfig, UpstreamRateLimited, UpstreamUnavailable
from holdpoint.models.settings import JudgeSettings

VERSION: Literal["holdpoint.dev/judge/v1"] = "holdpoint.dev/judge/v1"
MAX_ANSWER = 16 * 1024
"""Bytes. It is kept as evidence, once a scrape."""

MOST_NUMBERS = 20
LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]*$"
"""What a person reads: one line, without marks that turn the reading direction."""


class Question(Model):
    """Who runs beside whom since when: `stable` is empty where the canary is all there is."""

    version: Literal["holdpoint.dev/judge/v1"] = VERSION
    metric: str
    ticket: str
    service: str
    environment: str
    cluster: str
    namespace: str
    canary: list[str]
    stable: list[str]
    weight: float
    began: Instant
    since: Instant
    at: Instant


class Answer(Model):
    """What a judge says. Fields of later versions are ignored."""

    version: Literal["holdpoint.dev/judge/v1"]
    verdict: Literal["pass", "fail", "inconclusive", "no_data"]
    message: Annotated[str, Field(max_length=500, pattern=LINE)] = ""
    numbers: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$")],
            Annotated[float, Field(allow_inf_nan=False)],
        ],
        Field(max_length=MOST_NUMBERS),
    ] = {}


class Judges:
    """The judges of an installation by name. Raises SettingsError for a CA file that cannot be used."""

    def __init__(
        self, settings: Mapping[str, JudgeSettings], *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._tokens = {
            name: TokenFile(one.token_file, whose=f"The judge {name}'s")
            for name, one in settings.items()
            if one.token_file is not None
        }
        self._http = {
            name: httpx.AsyncClient(
                timeout=one.timeout,
                trust_env=False,
                transport=transport,
                verify=trusted(f"judges.{name}.ca_file", one.ca_file),
            )
            for name, one in settings.items()
        }

    async def ask(self, name: str, question: Question) -> Answer:
        """Return what a judge says. Raises StepConfig for an unknown name, and UpstreamUnavailable."""
        if name not in self._settings:
            known = ", ".join(sorted(self._settings)) or "none"
            raise StepConfig(f"Unknown judge: {name!r}. Add it to `judges` of the settings, or use: {known}.")
        seconds = self._settings[name].timeout
        try:
            async with asyncio.timeout(seconds):  # httpx bounds each read only
                raw = await self._answer(name, question)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise UpstreamUnavailable(f"The judge {name} gave no answer within {seconds:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamUnavailable(f"The judge {name} gave no answer: {type(error).__name__}.") from error
        return _read(name, raw)

    async def _answer(self, name: str, question: Question) -> bytes:
        # An answer that is packed could be of any size, so it is asked for as it is.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if name in self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens[name].value()}"
        body = question.model_dump_json()
        url = self._settings[name].url
        async with self._http[name].stream("POST", url, content=body, headers=headers) as answer:
            if answer.status_code == 429:
                raise UpstreamRateLimited(f"The judge {name} asked us to slow down.")
            if answer.status_code != 200 or "content-encoding" in answer.headers:
                packed = " with a packed body" if answer.status_code == 200 else ""
                raise UpstreamUnavailable(f"The judge {name} answered {answer.status_code}{packed}.")
            raw = b""
            async for part in answer.aiter_bytes():
                raw += part
                if len(raw) > MAX_ANSWER:
                    raise UpstreamUnavailable(f"The judge {name} answered more than {MAX_ANSWER} bytes.")
            return raw

    async def close(self) -> None:
        """Close the connections."""
        for http in self._http.values():
            await http.aclose()


def _read(name: str, raw: bytes) -> Answer:
    """Return the answer as it must be. Raises UpstreamUnavailable, naming the field."""
    try:
        return Answer.model_validate(json.loads(raw), strict=True)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UpstreamUnavailable(
            f"The judge {name} gave an answer that cannot be used: {where}: {first['msg'][:200]}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UpstreamUnavailable(f"The judge {name} gave an answer that is not JSON.") from error
