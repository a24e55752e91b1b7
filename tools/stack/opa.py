"""OPA as production runs it: its rules come as a bundle over HTTP, and it asks for a token."""

import os
import sys
from pathlib import Path

from holdpoint.embedded.opa import find_from
from holdpoint.embedded.policy_bundle import Bundle, packaged_policies
from holdpoint.embedded.server import Server, http_ready
from tools.stack.place import Piece, Place, write_json
from tools.stack.web import python_server

PORTS = ("opa", "bundles")
READY = "/health?bundles"


def opa(place: Place) -> Piece:
    """Return OPA and the server of its bundles; the bundle is built from the checkout's policies."""
    home = place.path("opa", "served", "x").parent
    found = find_from(os.environ, _say)
    bundle = Bundle(opa=found, policies=packaged_policies(), folder=home)
    bundle.refresh()
    config = write_json(place.path("opa", "config.json"), _config(place))
    command = [str(found), *options(place, config)]
    bundles = python_server("tools.stack.bundle_server", place, "bundles", str(bundle.file))
    return Piece(
        [
            Server("bundles", bundles, http_ready(f"{place.url('bundles')}/health")),
            Server("opa", command, http_ready(place.url("opa") + READY), after=("bundles",)),
        ],
        {
            "opa": {
                "url": place.url("opa"),
                "token_file": str(bundle.token_file),
                "revision": bundle.revision(),
                "bundle_file": str(bundle.file),
            }
        },
    )


def options(place: Place, config: Path) -> list[str]:
    """Return the command and the options of the server."""
    return [
        "run",
        "--server",
        f"--addr=127.0.0.1:{place.ports['opa']}",
        "--authentication=token",
        "--authorization=basic",
        "--skip-version-check",
        "--log-level=error",
        f"--config-file={config}",
    ]


def _config(place: Place) -> dict[str, object]:
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 2}
    return {
        "services": {"bundles": {"url": place.url("bundles")}},
        "bundles": {"holdpoint": {"service": "bundles", "resource": "bundle.tar.gz", "polling": polling}},
    }


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
