"""The five servers of the stack, with their addresses and the order in which they stop."""

import os

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.renderers import named_renderers
from holdpoint.embedded.server import Server, http_ready, python
from holdpoint.embedded.stack import Addresses
from holdpoint.embedded.temporal_server import NAMESPACE, temporal_server, worker_polls

PORTS = ("api", "temporal", "temporal-ui", "temporal-http", "temporal-metrics", "opa", "sandbox")

STOP_ORDER = (("api",), ("worker",), ("sandbox", "opa"), ("temporal",))
"""No new work first; then the worker drains while all that it needs is still there."""

WORKER_GRACE = 15.0
"""Seconds: a worker lets its activities end for 5 s, and its connections close."""


EMBEDDED = {"HOLDPOINT_EMBEDDED": "true", "HOLDPOINT_DRAIN": "5s"}
"""Says that a process is part of `up`: without it the API refuses the tokens of this folder's issuer.
A laptop waits a shorter time for what runs than production does."""


def servers_of(folder: DataFolder, ports: dict[str, int], opa: Server) -> list[Server]:
    """Return the servers of one stack."""
    data = str(folder.root)
    ours = EMBEDDED | named_renderers(os.environ)
    sandbox, api = f"http://127.0.0.1:{ports['sandbox']}", f"http://127.0.0.1:{ports['api']}"
    return [
        temporal_server(folder, ports),
        opa,
        Server(
            name="sandbox",
            command=python("holdpoint.sandbox", "--data", data, "--port", str(ports["sandbox"])),
            ready=http_ready(f"{sandbox}/readyz"),
        ),
        Server(
            name="api",
            command=python("holdpoint.cli", "api", "--data", data, "--port", str(ports["api"])),
            ready=http_ready(f"{api}/v1/health"),
            environment=ours,
        ),
        Server(
            name="worker",
            command=python("holdpoint.cli", "worker", "--data", data),
            ready=worker_polls(f"127.0.0.1:{ports['temporal']}"),
            after=("temporal",),
            grace=WORKER_GRACE,
            environment=ours,
        ),
    ]


def addresses_of(folder: DataFolder, ports: dict[str, int], pid: int) -> Addresses:
    """Return where the servers are reached."""
    return Addresses(
        api=f"http://127.0.0.1:{ports['api']}",
        temporal=f"127.0.0.1:{ports['temporal']}",
        temporal_ui=f"http://127.0.0.1:{ports['temporal-ui']}",
        temporal_namespace=NAMESPACE,
        sandbox=f"http://127.0.0.1:{ports['sandbox']}",
        opa=f"http://127.0.0.1:{ports['opa']}",
        data=str(folder.root),
        pid=pid,
    )
