"""Runs the sandbox: `python -m holdpoint.sandbox --data DIR --port N`."""

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from holdpoint.sandbox.app import create_app
from holdpoint.sandbox.cluster import Cluster, Occupied
from holdpoint.sandbox.connections import CuttableProtocol


def main() -> None:
    """Serve until a signal says to stop."""
    parser = argparse.ArgumentParser(
        prog="holdpoint.sandbox", description="A stand-in for a cluster and its metrics."
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the data folder; the sandbox uses its folder 'sandbox'"
    )
    parser.add_argument("--port", type=int, required=True, help="the port on 127.0.0.1")
    given = parser.parse_args()
    os.umask(0o077)  # what is stored may be Secrets
    try:
        cluster = Cluster(given.data / "sandbox")
    except Occupied as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(cluster),
        host="127.0.0.1",
        port=given.port,
        http=CuttableProtocol,
        lifespan="on",
        ws="none",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
