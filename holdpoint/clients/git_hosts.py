"""Which Git servers a change may name: who writes a change file must not choose what this process asks.

The URL is taken apart by its whole form, so that no other reading of it (curl's, ssh's) finds another host.
Without a list of servers a name is resolved before each fetch, and every address of it must be public; over
HTTP Git is then bound to the addresses that were looked at (`http.curloptResolve`, Git 2.37), so that a name
cannot change its mind in between. Redirects are not followed at all (git_mirror.py).
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from holdpoint.clients.addresses import is_public
from holdpoint.clients.git_refusals import REPOSITORY, invalid
from holdpoint.models.errors import InvalidChange, UpstreamUnavailable
from holdpoint.models.git_names import split_git_host

PORTS = {"https": 443, "http": 80, "ssh": 22}
FORMS = "an https, http or ssh URL, or user@host:path, with a plain host name"
PUBLIC = "on a server with a public name; any other must be in git_hosts of Holdpoint's settings"

_URL = re.compile(
    r"(?P<scheme>https?|ssh)://(?:[A-Za-z0-9._~+-]+@)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]*[A-Za-z0-9_-]))(?::(?P<port>[0-9]{1,5}))?(?:/.*)?"
)
_SCP_LIKE = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?):.+")


@dataclass(frozen=True)
class Server:
    """Where a repository lies; the host in small letters, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int


class GitHosts:
    """The servers that may be asked. `listed`: host, host:port or *.example.com each; None: public names."""

    def __init__(self, listed: Sequence[str] | None) -> None:
        self._listed = None if listed is None else [entry.lower() for entry in listed]

    def check(self, repository: str) -> Server:
        """Return the repository's server, without asking anybody. Raises InvalidChange if it may not be."""
        server = server_of(repository)
        if self._listed is not None:
            if not any(_matches(server, entry) for entry in self._listed):
                allowed = ", ".join(self._listed) or "none (git_hosts of Holdpoint's settings is empty)"
                raise invalid(REPOSITORY, repository, f"on one of these servers: {allowed}")
        elif _is_literal(server.host):
            raise invalid(REPOSITORY, repository, PUBLIC)
        return server

    def reach(self, repository: str) -> str | None:
        """Return what `http.curloptResolve` must be while Git asks this repository's server; None: unset.

        Raises InvalidChange when it may not be asked, UpstreamUnavailable when its name leads nowhere now.
        """
        server = self.check(repository)
        if self._listed is not None:
            return None
        found = addresses(server)
        if not all(is_public(one) for one in found):
            raise invalid(REPOSITORY, repository, PUBLIC)
        if server.scheme == "ssh":
            return None  # ssh has no such option; it speaks to nothing that does not speak ssh
        return f"{server.host}:{server.port}:{','.join(found)}"


def server_of(repository: str) -> Server:
    """Return the server that a URL or user@host:path names. Raises InvalidChange."""
    if match := _URL.fullmatch(repository):
        scheme, host = match["scheme"], match["v6"] or match["host"]
        port = int(match["port"] or PORTS[scheme])
    elif match := _SCP_LIKE.fullmatch(repository):
        scheme, host, port = "ssh", match["host"], PORTS["ssh"]
    else:
        raise invalid(REPOSITORY, repository, FORMS)
    return Server(scheme, host.lower(), port)


def host_of(repository: str) -> str:
    """Return the host that a repository's URL names; of what names none, such as a path, nothing."""
    try:
        return server_of(repository).host
    except InvalidChange:
        return ""


def addresses(server: Server) -> list[str]:
    """Return the addresses of a server's name now. Raises UpstreamUnavailable."""
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UpstreamUnavailable(
            f"The name of the Git server {server.host} cannot be resolved: {error}.", upstream="git"
        ) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_literal(host: str) -> bool:
    """Tell whether the host is an address, in any form that a resolver takes (127.1, 0x7f000001) too."""
    try:
        ip_address(host)
    except ValueError:
        try:
            socket.inet_aton(host)
        except OSError:
            return False
    return True


def _matches(server: Server, entry: str) -> bool:
    """Tell whether an entry of the list names this server; without a port it means every port."""
    host, port = split_git_host(entry)
    if port is not None and port != server.port:
        return False
    if host.startswith("*."):
        return server.host.endswith(host[1:])
    return server.host == host
