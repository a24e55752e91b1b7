"""Small HTTP servers of our own: how one is started, and how it runs."""

import sys

import uvicorn
from starlette.applications import Starlette

from tools.stack.place import Place


def python_server(module: str, place: Place, port: str, *arguments: str) -> list[str]:
    """Return the command line of a server of ours; its last argument names the stack's folder."""
    return [sys.executable, "-m", module, str(place.ports[port]), *arguments]


def serve(application: Starlette, port: int) -> None:
    """Serve on 127.0.0.1 until a signal."""
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning", access_log=False)
