"""Whom `http` steps may ask, and with which credentials: nobody, unless the settings say so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Name
from holdpoint.models.http_names import check_header_name, check_prefix, split_url
from holdpoint.models.server_addresses import LOOPBACK


class HttpAllowed(StrictModel):
    """The beginning of URLs that `http` steps may ask."""

    url: Annotated[str, AfterValidator(check_prefix)] = Field(
        description="scheme, host and perhaps a path: https://flags.example.com/api covers what is below /api"
    )
    private: bool = Field(
        default=False,
        description="it is an internal server, so its name may lead to private and loopback addresses",
    )
    credentials: list[Name] = Field(
        default=[], description="the credentials of http_credentials that may be sent there"
    )
    ca_file: Path | None = Field(default=None, description="what signs its certificate, if no public CA does")


class HttpCredential(StrictModel):
    """A secret that is sent in a header; the file is read again when it changes."""

    token_file: Path
    header: Annotated[str, AfterValidator(check_header_name)] = "Authorization"
    scheme: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,40}$")] = Field(
        default="Bearer", description="stands before the token; empty where the header is the token alone"
    )


def check_http(allowed: Sequence[HttpAllowed], credentials: Mapping[str, HttpCredential]) -> None:
    """Hold that each credential that is allowed is known, and sent encrypted. Raises ValueError."""
    for number, entry in enumerate(allowed):
        field = f"http_allow[{number}]"
        for name in entry.credentials:
            if name not in credentials:
                known = ", ".join(sorted(credentials)) or "none"
                raise ValueError(
                    f"{field}.credentials: {name!r} is not in http_credentials, which has {known}"
                )
        url = split_url(entry.url)
        if entry.credentials and url.scheme == "http" and url.host not in LOOPBACK:
            raise ValueError(f"{field}.url must be https: a credential would be readable on the way")
        if entry.ca_file is not None and url.scheme == "http":
            raise ValueError(f"{field}.ca_file has no meaning with an http URL")
