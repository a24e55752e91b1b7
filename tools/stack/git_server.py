"""`python -m tools.stack.git_server PORT FOLDER USER PASSWORD_FILE`: Git over HTTP with a password."""

import asyncio
import base64
import hmac
import os
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tools.stack.web import serve


def application(folder: Path, user: str, password: str) -> Starlette:
    """Return a server of the bare repositories in a folder; reading and pushing both ask for the password."""
    wanted = b"Basic " + base64.b64encode(f"{user}:{password}".encode())

    async def repository(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, wanted):
            refusal = {"WWW-Authenticate": 'Basic realm="git"'}
            return PlainTextResponse("a user and a password are needed\n", 401, headers=refusal)
        return await _backend(request, folder, user)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    routes = [Route("/health", health), Route("/{path:path}", repository, methods=["GET", "POST"])]
    return Starlette(routes=routes)


async def _backend(request: Request, folder: Path, user: str) -> Response:
    """Let `git http-backend` answer, as a web server runs a CGI program."""
    body = await request.body()
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_variables(request, folder, user, len(body)),
    )
    said, _ = await process.communicate(body)
    head, _, content = said.partition(b"\r\n\r\n")
    fields = [line.partition(b": ") for line in head.split(b"\r\n") if line]
    headers = {name.decode().lower(): value.decode() for name, _, value in fields}
    status = int(headers.pop("status", "200").split()[0]) if head else 502
    return Response(content, status, headers=headers)


def _variables(request: Request, folder: Path, user: str, length: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        # The repositories may be another user's where the tests run as root.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": "/" + request.path_params["path"],
        "QUERY_STRING": request.url.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(length),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
    }


if __name__ == "__main__":
    serve(application(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]).read_text()), int(sys.argv[1]))
