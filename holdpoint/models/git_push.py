"""Which repositories Holdpoint may push to, and as whom: who writes a change file must not choose that."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.git_names import check_repository

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_user(value: str) -> str:
    """Return `value` if it can be a user's name for Git. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", value):
        raise ValueError("must be a user's name, such as holdpoint or x-access-token")
    return value


def check_email(value: str) -> str:
    """Return `value` if a commit can have it as an address. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9._+-]{1,100}@[A-Za-z0-9.-]{1,100}", value):
        raise ValueError("must be an address such as holdpoint@example.com")
    return value


class GitPush(StrictModel):
    """One environment repository that `gitCommit` steps may push to. Credentials are files."""

    repository: Annotated[str, AfterValidator(check_repository)] = Field(
        description="its URL, as change files name it"
    )
    user: Annotated[str, AfterValidator(check_user)] = Field(
        default="holdpoint", description="the user that goes with the token"
    )
    token_file: Path | None = Field(
        default=None, description="the token or password for HTTPS; none: Git's own configuration is asked"
    )
    ssh_key_file: Path | None = Field(
        default=None, description="the private key for SSH; none: those of the user that runs this"
    )
    email: Annotated[str, AfterValidator(check_email)] = Field(
        default="holdpoint@localhost.localdomain", description="the address in the commits"
    )

    @model_validator(mode="after")
    def _fits_the_scheme(self) -> "GitPush":
        url = urlsplit(self.repository)
        if self.token_file is not None and url.scheme not in ("https", "http"):
            raise ValueError("token_file is for https; an SSH repository has ssh_key_file")
        if self.token_file is not None and url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError("token_file needs https: a token would be readable on the way")
        if self.ssh_key_file is not None and url.scheme in ("https", "http", "file"):
            raise ValueError("ssh_key_file is for SSH; an HTTPS repository has token_file")
        return self

    @property
    def key(self) -> str:
        """Return the repository as it is compared: without what servers leave out, too."""
        return repository_key(self.repository)


def repository_key(repository: str) -> str:
    """Return a repository's address without a `/` or `.git` at its end."""
    return repository.rstrip("/").removesuffix(".git")
