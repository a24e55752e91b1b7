"""Ask a server outside of any cluster, and none but those that the settings allow.

A change file is a stranger's, so what it names must not lead into the network behind us. The URL has to lie
below an entry of `http_allow`. Its name is resolved once for each attempt, every address of it is looked at,
and the connection is made to just these addresses (`http_wire.py`): a name that answers differently the next
time is not asked a next time.
"""

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx

from holdpoint.clients.access import TokenFile
from holdpoint.clients.addresses import is_internal, is_public
from holdpoint.clients.http_wire import Answer, NotSent, Outgoing, Permitted, ask, trust
from holdpoint.models.errors import StepConfig, UpstreamUnavailable
from holdpoint.models.http_names import covers, split_url
from holdpoint.models.http_settings import HttpAllowed, HttpCredential
from holdpoint.models.redact import redact_text

RESOLVE = 5.0
"""Seconds for the addresses of a name."""
MOST_ADDRESSES = 4
"""Addresses that are tried, one after the other, until one takes the connection."""

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host. Raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses that the system knows of a host, each once, in the order to try."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Peers:
    """The servers that may be asked, by the settings; without any entry none may."""

    def __init__(
        self,
        allowed: Sequence[HttpAllowed] = (),
        credentials: Mapping[str, HttpCredential] | None = None,
        *,
        resolver: Resolver = resolve,
    ) -> None:
        self._allowed = [(split_url(entry.url), entry) for entry in allowed]
        self._credentials = {
            name: (one, TokenFile(one.token_file, f"Credential {name}'s"))
            for name, one in (credentials or {}).items()
        }
        self._resolver = resolver

    def permit(self, url: str, credential: str | None) -> Permitted:
        """Return the URL as it may be asked, without asking anybody. Raises StepConfig if it may not be."""
        asked = split_url(url)
        fitting = [(prefix, entry) for prefix, entry in self._allowed if covers(prefix, asked)]
        if not fitting:
            raise StepConfig(
                f"{asked.origin}{asked.path} may not be asked: no entry of http_allow in Holdpoint's "
                f"settings covers it. Whoever runs Holdpoint can add one: [{{url: {asked.origin}/}}]."
            )
        _, entry = max(fitting, key=lambda one: len(one[0].path))
        if credential is not None and credential not in entry.credentials:
            raise StepConfig(
                f"The credential {credential!r} may not be sent to {asked.origin}: http_allow in Holdpoint's "
                f"settings has {', '.join(entry.credentials) or 'none'} for {entry.url}."
            )
        return Permitted(asked, entry)

    async def check(self, url: str, credential: str | None) -> str:
        """Return the address that would be asked now. Raises StepConfig, or NotSent where that may pass."""
        permitted = self._with_secret(self.permit(url, credential), credential)
        return (await self.reach(permitted))[0]

    async def send(self, outgoing: Outgoing, *, budget: float) -> Answer:
        """Send a request once, and be done with it within `budget` seconds.

        Raises StepConfig where it may not be sent, NotSent where it was not, and NoAnswer where nobody knows.
        """
        ends = time.monotonic() + budget
        permitted = self._with_secret(self.permit(outgoing.url, outgoing.credential), outgoing.credential)
        found = await self.reach(permitted)
        verify = trust(permitted)
        failed: Exception | None = None
        for address in found[:MOST_ADDRESSES]:
            try:
                return await ask(outgoing, permitted, address, verify, ends - time.monotonic())
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        why = redact_text(str(failed)) or "no connection in time"
        raise NotSent(f"{outgoing} was not sent: no connection to {permitted.url.host}: {why}.") from failed

    def _with_secret(self, permitted: Permitted, credential: str | None) -> Permitted:
        """Return it with the credential's header as its file has it now. Raises NotSent."""
        if credential is None:
            return permitted
        one, file = self._credentials[credential]
        try:
            token = file.value()
        except UpstreamUnavailable as error:
            raise NotSent(error.message) from error
        if not _HEADER_SAFE.fullmatch(token):
            raise NotSent(f"Credential {credential}'s token file does not hold one word of ASCII.")
        return Permitted(permitted.url, permitted.entry, (one.header, f"{one.scheme} {token}".strip()))

    async def reach(self, permitted: Permitted) -> list[str]:
        """Return the addresses to connect to. Raises NotSent; StepConfig for one that may not be asked."""
        url = permitted.url
        try:
            async with asyncio.timeout(RESOLVE):
                found = await self._resolver(url.host, url.port)
        except (OSError, UnicodeError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            raise NotSent(f"The name {url.host} cannot be resolved: {why}.") from error
        if not found:
            raise NotSent(f"The name {url.host} has no address.")
        for address in found:
            if not (is_public(address) or (permitted.entry.private and is_internal(address))):
                raise StepConfig(_refused(url.host, address, private=permitted.entry.private))
        return found


def _refused(host: str, address: str, *, private: bool) -> str:
    said = f"{host} leads to {address}, which is not an address of the internet"
    if is_internal(address) and not private:
        return f"{said}. If the server is meant to be internal, set private: true in its entry of http_allow."
    return f"{said} nor of an internal network, and is never asked."
