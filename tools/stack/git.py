"""Git over HTTP with a password: `git http-backend` behind a small server, on bare repositories."""

import secrets

from holdpoint.embedded.server import Server, http_ready
from tools.stack.place import Piece, Place, secret_file
from tools.stack.web import python_server

PORTS = ("git",)
USER = "holdpoint"


def git(place: Place) -> Piece:
    """Return the Git server of a stack. A bare repository `NAME.git` in its folder is at URL/NAME.git."""
    repositories = place.path("git", "repositories", "x").parent
    password_file = place.path("git", "password")
    secret_file(password_file, lambda: secrets.token_urlsafe(24))
    command = python_server(
        "tools.stack.git_server", place, "git", str(repositories), USER, str(password_file)
    )
    return Piece(
        [Server("git", command, http_ready(f"{place.url('git')}/health"))],
        {
            "git": {
                "url": place.url("git"),
                "user": USER,
                "password_file": str(password_file),
                "repositories": str(repositories),
            }
        },
    )
