"""Addresses of servers in the settings, as they may be written."""

from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_server(address: str) -> str:
    """Return `address` if it may be sent a token. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://eu-1.example:6443")
    if parts.username or parts.password or parts.query:
        raise ValueError("must not hold credentials: name a token file or a kubeconfig instead")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be https: a token would be readable on the way")
    return address


def check_url(address: str) -> str:
    """Return `address` if it is an HTTP URL without credentials. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:8181")
    if parts.username or parts.password or parts.query:
        raise ValueError("must not hold credentials")
    return address


def check_address(address: str) -> str:
    """Return `address` if it is host:port; an IPv6 host is in brackets. Raises ValueError."""
    try:
        split_address(address)
    except ValueError as error:
        raise ValueError("must be host:port, such as 127.0.0.1:7233") from error
    return address


def split_address(address: str) -> tuple[str, int]:
    """Return host and port; no host means every interface. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in address or not 0 <= int(port) <= 65535 or (":" in host and host[0] != "["):
        raise ValueError(address)
    return host.strip("[]"), int(port)
