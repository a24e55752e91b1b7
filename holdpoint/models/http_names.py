"""What a change may state of an HTTP request: URLs with one reading only, and headers that cannot do harm.

A URL that two programs read differently (a proxy, the server behind it) could pass the allow list as one and
arrive as the other. So whatever has more than one spelling is refused, never tidied up. Credentials are
named, not written: nothing of a change file may be a secret.
"""

import json
import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple
from urllib.parse import unquote, urlunsplit

from holdpoint.models.redact import MASK, is_secret_name, redact_text

PORTS = {"https": 443, "http": 80}
LONGEST_URL = 2000
LONGEST_VALUE = 1000
"""Characters of a header's value."""
LARGEST_BODY = 64 * 1024
"""Bytes of a body as it is sent."""
_EXACT = 2**53 - 1
"""Beyond this an integer is not exact in JSON (RFC 8785 section 3.2.2.3, I-JSON)."""

_PRINTABLE = re.compile(r"[!#-;=?-Z\[\]_a-z~]+")
"""ASCII without spaces, quotes, <, >, backslash, ^, `, {, | and }: RFC 3986 has none of them in a URL."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%(?:2[eEfF]|5[cC]|[01][0-9A-Fa-f]|7[fF]|25)")
"""A `%` that escapes nothing, or an escaped dot, slash, backslash, control character or `%`."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""A header's name (RFC 9110 section 5.6.2)."""
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_OWN = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer"),
        *("upgrade", "expect", "accept-encoding", "forwarded", "via", "x-real-ip", "http2-settings"),
        *("x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"),
    }
)
"""Headers that frame a request, lead it elsewhere, or have a server read another request than is shown."""
_OWN_PREFIXES = ("proxy-", "x-forwarded-", "sec-", "holdpoint-")
_CREDENTIALS = frozenset({"authorization", "cookie", "set-cookie", "www-authenticate"})


class HttpUrl(NamedTuple):
    """A URL taken apart; the host in small letters, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        """Return scheme, host and port; the port only where it is not the scheme's own."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Return host and port as a Host header has them."""
        return netloc(self.host, None if self.port == PORTS[self.scheme] else self.port)


def netloc(host: str, port: int | None) -> str:
    """Return host and port; an IPv6 address in brackets."""
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def split_url(value: str) -> HttpUrl:
    """Return the parts of a URL that can be read in one way only. Raises ValueError."""
    if len(value) > LONGEST_URL:
        raise ValueError(f"must have at most {LONGEST_URL} characters")
    if not _PRINTABLE.fullmatch(value):
        raise ValueError(
            "must be a URL of printable ASCII characters without spaces, quotes and backslashes; "
            "escape others as %XX, and write a name with other letters in its xn-- form"
        )
    scheme, colon, rest = value.partition("://")
    if not colon or scheme not in PORTS:
        raise ValueError("must begin with https:// or http://, in small letters")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise ValueError("must not hold a user or a password; name a `credential` of the settings")
    if "#" in value:
        raise ValueError("must not have a fragment (`#`): it would never be sent")
    match = _URL.fullmatch(value)
    port = 0 if match is None else int(match["port"] or PORTS[match["scheme"]])
    if match is None or not 0 < port < 65536:
        raise ValueError("must be a URL such as https://flags.example.com/api/v1/flags/new-cart")
    host = _host(match["host"])
    path = _path(match["path"] or "/")
    return HttpUrl(match["scheme"], host, port, path, _query(match["query"] or ""))


def _host(written: str) -> str:
    """Return the host in small letters, if it can only mean itself. Raises ValueError."""
    host = written.lower()
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))  # refuses 127.1, 0x7f000001, 2130706433 and 0177.0.0.1
    except ValueError as error:
        raise ValueError(
            "must write an IP address in its usual form, such as 192.0.2.7 or [2001:db8::7]"
        ) from error
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must have a host name such as flags.example.com, without a dot at its end")
    return host


def _path(path: str) -> str:
    """Return the path if no server can read another one in it. Raises ValueError."""
    if _BAD_ESCAPE.search(path):
        raise ValueError(
            "must not have an escaped dot, slash, backslash, percent or control character in its path, "
            "nor a `%` that escapes nothing"
        )
    if "//" in path or any(part.partition(";")[0] in (".", "..") for part in path.split("/")):
        raise ValueError("must not have `//`, `.` or `..` in its path: servers read them differently")
    return path


def _query(query: str) -> str:
    """Return the query if it holds no secret. Raises ValueError."""
    for pair in query.split("&"):
        name = unquote(pair.partition("=")[0])
        if is_secret_name(name):
            raise ValueError(
                f"must not hold a secret ({name[:40]!r} in its query); name a `credential` of the settings"
            )
    return query


def check_http_url(value: str) -> str:
    """Return `value` if it is a URL that a request may be sent to. Raises ValueError."""
    split_url(value)
    return value


def check_prefix(value: str) -> str:
    """Return `value` if it can be the beginning of URLs: scheme, host, perhaps a path. Raises ValueError."""
    if split_url(value).query or "?" in value:
        raise ValueError("must not have a query: it is the beginning of the URLs that are allowed")
    return value


def covers(prefix: HttpUrl, url: HttpUrl) -> bool:
    """Tell whether a URL begins with a prefix; `/api` covers `/api` and `/api/x`, but not `/apis`."""
    if (prefix.scheme, prefix.host, prefix.port) != (url.scheme, url.host, url.port):
        return False
    folder = prefix.path.rstrip("/")
    return url.path == prefix.path or url.path.startswith(f"{folder}/")


def masked_url(value: str) -> str:
    """Return a URL for people and for the record: what looks like a secret in it is masked."""
    url = split_url(value)
    query = "&".join(_masked_pair(pair) for pair in url.query.split("&")) if url.query else ""
    return redact_text(urlunsplit((url.scheme, url.netloc, url.path, query, "")))


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals and is_secret_name(unquote(name)) else pair


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return `headers` if a change may state each of them. Raises ValueError, naming the header."""
    for name, value in headers.items():
        check_header_name(name)
        lower = name.lower()
        if lower in _CREDENTIALS or is_secret_name(name):
            raise ValueError(f"must not hold a secret ({name}); name a `credential` of the settings")
        if len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value):
            raise ValueError(
                f"must give {name} 1 to {LONGEST_VALUE} printable ASCII characters without spaces at the ends"
            )
        if redact_text(value) != value:
            raise ValueError(f"must not hold a secret (the value of {name}); name a `credential`")
    lowered = [name.lower() for name in headers]
    if twice := sorted({name for name in lowered if lowered.count(name) > 1}):
        raise ValueError(f"must name each header once; {twice[0]} is there twice")
    return headers


def check_header_name(name: str) -> str:
    """Return the name of a header that is not Holdpoint's or the connection's own. Raises ValueError."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"must have names of headers, such as X-Team; {name[:40]!r} is none")
    lower = name.lower()
    if lower == "idempotency-key":
        raise ValueError("must not set Idempotency-Key: Holdpoint makes it from ticket and step")
    if lower in _OWN or lower.startswith(_OWN_PREFIXES):
        raise ValueError(f"must not set {name}: it belongs to the connection, or changes what is asked")
    return name


def check_body(body: Any) -> Any:
    """Return `body` if it can be sent as it is written. Raises ValueError."""
    try:
        written = body if isinstance(body, str) else json.dumps(_plain(body), ensure_ascii=False)
        size = len(written.encode())
    except UnicodeEncodeError as error:
        raise ValueError("must be text that UTF-8 can carry, without half of a surrogate pair") from error
    if size > LARGEST_BODY:
        raise ValueError(f"must have at most {LARGEST_BODY} bytes (64 KiB); it has {size}")
    return body


def _plain(value: Any) -> Any:
    """Return a value that JSON carries exactly. Raises ValueError for any other."""
    if isinstance(value, dict):
        for name in value:
            _plain(name if isinstance(name, str) else ())
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= _EXACT:
            raise ValueError("must have numbers that JSON carries exactly (below 2^53); write others as text")
    elif value is not None and not isinstance(value, bool):
        raise ValueError("must be JSON: mappings with text as names, lists, text, numbers, true, false, null")
    return value


def check_expected(statuses: list[int]) -> list[int]:
    """Return the statuses that may count as done. Raises ValueError."""
    for status in statuses:
        if not (200 <= status <= 299 or status in (404, 409, 410)):
            raise ValueError(
                "must be statuses from 200 to 299, or 404, 409 and 410 where what is wanted is so already; "
                f"{status} can mean that nothing was done"
            )
    if len(set(statuses)) != len(statuses):
        raise ValueError("must name each status once")
    return statuses
