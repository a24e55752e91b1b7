"""`python -m tools.stack.bundle_server PORT FILE`: serve one policy bundle.

OPA asks again and again; an unchanged bundle is not sent again.
"""

import hashlib
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tools.stack.web import serve


def application(file: Path) -> Starlette:
    """Return a server of one bundle, read anew for each request."""

    def bundle(request: Request) -> Response:
        content = file.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, headers={"ETag": tag}, media_type="application/gzip")

    def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route(f"/{file.name}", bundle), Route("/health", health)])


if __name__ == "__main__":
    serve(application(Path(sys.argv[2])), int(sys.argv[1]))
