"""One HTTP request over one connection to one address, bounded in time and in what is read of the answer.

The name of the URL stays in the Host header and is what the certificate must be of. No redirect is followed,
no proxy is used, no connection is kept, and of an answer no more than 64 KiB are read.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlunsplit

import httpx

from holdpoint.ledger.canonical import digest_of
from holdpoint.models.base import Digest, Model
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.http_names import HttpUrl, masked_url, netloc
from holdpoint.models.http_settings import HttpAllowed
from holdpoint.models.redact import MASK, redact_text

LARGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read; its digest is of these."""
LONGEST_WORDS = 300
"""Characters of an answer that are quoted where it was not the one expected."""
CONNECT = 5.0
"""Seconds for a connection to one address."""

_UNREADABLE = re.compile(r"[^\x20-\x7e\xa0-\u200d\u2010-\u2027\u2030-\u2065\u206a-\ud7ff\ue000-\ufffd]+")
"""Control characters, line breaks of Unicode and marks that turn the reading direction."""


class NotSent(UpstreamUnavailable):
    """Nothing has reached the server, so nothing can have come of it."""


class NoAnswer(UpstreamUnavailable):
    """It may have reached the server, and how it was answered is not known."""


class Outgoing(Model):
    """One request as it is sent. `headers` hold no secret: the credential is only named."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    url: str
    headers: dict[str, str]
    body: bytes | None = None
    credential: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {masked_url(self.url)}"


class Answer(Model):
    """What the server answered. `said` is how it begins, masked; `whole` is false where it was longer."""

    status: int
    digest: Digest
    size: int
    whole: bool
    address: str
    said: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Permitted:
    """A URL with the entry of `http_allow` that covers it, and the value of its credential's header."""

    url: HttpUrl
    entry: HttpAllowed
    secret: tuple[str, str] | None = field(default=None, repr=False)


def trust(permitted: Permitted) -> ssl.SSLContext | bool:
    """Return what must sign the server's certificate. Raises NotSent where the CA file is unusable."""
    if permitted.url.scheme == "http":
        return False  # there is no certificate, and to load the public CAs costs 30 ms
    file = permitted.entry.ca_file
    if file is None:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise NotSent(f"The CA file of {permitted.entry.url} in http_allow cannot be read.") from error


async def ask(
    outgoing: Outgoing, permitted: Permitted, address: str, verify: ssl.SSLContext | bool, budget: float
) -> Answer:
    """Send it to one address. Raises NoAnswer; httpx's ConnectError and ConnectTimeout: it was not sent."""
    url = permitted.url
    ends = asyncio.get_running_loop().time() + max(budget, 0.1)
    timeout = httpx.Timeout(budget, connect=min(CONNECT, budget))
    async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=timeout) as client:
        request = client.build_request(
            outgoing.method,
            urlunsplit((url.scheme, netloc(address, url.port), url.path, url.query, "")),
            headers=_headers(outgoing, permitted),
            content=outgoing.body,
            # The certificate must be that of the name, though the connection is made to an address.
            extensions={"timeout": timeout.as_dict(), "sni_hostname": url.host},
        )
        try:
            async with asyncio.timeout_at(ends):
                answer = await client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except (httpx.HTTPError, TimeoutError) as error:
            why = redact_text(str(error)) or type(error).__name__
            raise NoAnswer(f"{outgoing} was sent, and nobody knows what came of it: {why}.") from error
        try:
            body, whole = await _read(answer, ends)
        finally:
            await answer.aclose()
    return Answer(
        status=answer.status_code,
        digest=digest_of(body),
        size=len(body),
        whole=whole,
        address=address,
        said=_words(body, permitted.secret),
        retry_after=_retry_after(answer.headers.get("retry-after")),
    )


def _headers(outgoing: Outgoing, permitted: Permitted) -> dict[str, str]:
    headers = {"User-Agent": "holdpoint", **outgoing.headers, "Host": permitted.url.netloc}
    # A compressed answer could be a thousand times as long as what is read of it.
    headers["Accept-Encoding"] = "identity"
    if permitted.secret is not None:
        headers[permitted.secret[0]] = permitted.secret[1]
    return headers


async def _read(answer: httpx.Response, ends: float) -> tuple[bytes, bool]:
    """Return the beginning of an answer, and whether it is all of it. Its status counts in any case."""
    kept = bytearray()
    try:
        async with asyncio.timeout_at(ends):
            async for part in answer.aiter_raw():
                kept += part
                if len(kept) > LARGEST_ANSWER:
                    return bytes(kept[:LARGEST_ANSWER]), False
    except (httpx.HTTPError, TimeoutError):
        return bytes(kept), False
    return bytes(kept), True


def _words(body: bytes, secret: tuple[str, str] | None) -> str:
    """Return the beginning of an answer in one line; a credential that it repeats is masked."""
    text = body.decode("utf-8", "replace")
    if secret is not None:
        text = text.replace(secret[1].rpartition(" ")[2], MASK)
    return " ".join(_UNREADABLE.sub(" ", redact_text(text[:20_000])).split())[:LONGEST_WORDS]


def _retry_after(value: str | None) -> float | None:
    """Return the pause in seconds that the server asks for (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
