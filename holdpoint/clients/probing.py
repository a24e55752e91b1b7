"""One GET of an address as a stranger would send it: no credentials, no redirects, and not without bounds.

Whoever writes a change names the address, so the same guard stands before it as before an `http` step
(`http_peers.py`): it must be covered by `http_allow`, and the connection is made to the addresses that were
looked at, not to whatever the name answers the next time.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlunsplit

import httpx

from holdpoint.clients.http_peers import MOST_ADDRESSES, Peers
from holdpoint.clients.http_wire import Permitted, trust
from holdpoint.ledger.canonical import digest_of
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.http_names import netloc

LARGEST = 1024 * 1024
"""Bytes of a body that are read; what a probe looks for stands near the beginning."""


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds the last of it that was read."""

    status: int
    body: bytes
    seconds: float

    @property
    def digest(self) -> str:
        """Return the digest of what was read of the body."""
        return digest_of(self.body)


async def get(address: str, peers: Peers) -> Answer:
    """Return what an address answers to one GET. The caller bounds the time.

    Raises StepConfig where it may not be asked, UpstreamUnavailable when there is no answer.
    """
    permitted = peers.permit(address, None)
    failed: Exception | None = None
    for found in (await peers.reach(permitted))[:MOST_ADDRESSES]:
        try:
            return await _ask(permitted, found)
        except httpx.ConnectError as error:
            failed = error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(f"No answer: {type(error).__name__}.") from error
    raise UpstreamUnavailable(f"No answer: no connection to {permitted.url.host}.") from failed


async def _ask(permitted: Permitted, address: str) -> Answer:
    url, body = permitted.url, b""
    where = urlunsplit((url.scheme, netloc(address, url.port), url.path, url.query, ""))
    # Nothing is decompressed: some bytes could become any number of them.
    headers = {"User-Agent": "holdpoint", "Accept-Encoding": "identity", "Host": url.netloc}
    # The environment's proxies are not trusted, and the check's own time limit stands round all of it.
    client = httpx.AsyncClient(verify=trust(permitted), trust_env=False, timeout=None)  # noqa: S113
    began = time.monotonic()
    async with (
        client,
        client.stream(
            "GET",
            where,
            headers=headers,
            follow_redirects=False,
            extensions={"sni_hostname": url.host},
        ) as answer,
    ):
        async for part in answer.aiter_raw():
            body += part[: LARGEST - len(body)]
            if len(body) >= LARGEST:
                break
        return Answer(answer.status_code, body, time.monotonic() - began)
