"""A Temporal server on the stack's PostgreSQL, with our namespace and its search attributes."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

from holdpoint.embedded.server import Server
from holdpoint.embedded.temporal_server import FAST, NAMESPACE, RPC_TIMEOUT, answers, prepare_namespace
from holdpoint.models.contracts import SEARCH_SERVICE
from holdpoint.models.errors import UpstreamUnavailable
from tools.stack import postgres
from tools.stack.parts import binary, files
from tools.stack.place import Piece, Place, write_json

SERVICES = ("frontend", "matching", "history", "worker")
PORTS = (
    *(f"temporal-{service}" for service in SERVICES),
    *(f"temporal-{service}-members" for service in SERVICES),
    "temporal-http",
    "temporal-metrics",
)
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}
"""Name of each database, and the folder of its schema."""

START = ("--allow-no-auth", "start")
REGISTERED_SECONDS = 60.0
POLL_SECONDS = 0.2


def temporal(place: Place) -> Piece:
    """Return the server of a stack; its schema is made or brought up to date when PostgreSQL is ready."""
    address = f"127.0.0.1:{place.ports['temporal-frontend']}"
    write_json(place.path("temporal", "dynamic.yaml"), dynamic())
    config = write_json(place.path("temporal", "server.yaml"), server_config(place, address))
    command = [str(binary("temporal-server")), "--config-file", str(config), *START]

    async def schema() -> None:
        await asyncio.to_thread(_schema, place)

    async def namespace() -> None:
        client = await Client.connect(address, namespace=NAMESPACE)
        await prepare_namespace(client)
        await _registered(client)

    return Piece(
        [Server("temporal", command, answers(address), after=("postgres",))],
        {"temporal": {"address": address, "namespace": NAMESPACE}},
        {"postgres": schema, "temporal": namespace},
    )


async def _registered(client: Client) -> None:
    """Wait until the server knows namespace and attributes: its caches are refreshed by a clock of theirs."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + REGISTERED_SECONDS
    request = ListWorkflowExecutionsRequest(namespace=NAMESPACE, query=f"{SEARCH_SERVICE} = 'none'")
    while True:
        try:
            await client.workflow_service.list_workflow_executions(request, timeout=RPC_TIMEOUT)
            return
        except RPCError as error:
            if loop.time() > deadline:
                raise UpstreamUnavailable(f"Temporal does not know its namespace: {error}") from error
        await asyncio.sleep(POLL_SECONDS)  # the server tells nobody that its caches are fresh


def _schema(place: Place) -> None:
    with psycopg.connect(postgres.libpq_url(place, "postgres"), autocommit=True) as connection:
        present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    schema = without_extension(place)
    for database, folder in DATABASES.items():
        if database not in present:
            _tool(place, database, "create")
            _tool(place, database, "setup-schema", "-v", "0.0")
        _tool(place, database, "update-schema", "-d", str(schema / folder / "versioned"))


def without_extension(place: Place) -> Path:
    """Return a copy of Temporal's schema that asks for no `btree_gin`, which the wheel's PostgreSQL lacks.

    The extension only lets an index over a list begin with the namespace; without, it is over the list.
    """
    copy = place.path("temporal", "schema")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(files("temporal", "schema"), copy, copy_function=shutil.copyfile)
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        folder.chmod(0o700)
    for file in copy.rglob("*.sql"):
        text = file.read_text().replace("CREATE EXTENSION btree_gin", "NULL")
        file.write_text(text.replace("USING GIN (namespace_id, ", "USING GIN ("))
    return copy


def _tool(place: Place, database: str, *words: str) -> None:
    done = subprocess.run(  # noqa: S603 - a program that we built
        [
            str(binary("temporal-sql-tool")),
            "--plugin=postgres12",
            "--endpoint=127.0.0.1",
            f"--port={place.ports['postgres']}",
            f"--user={postgres.USER}",
            f"--database={database}",
            *words,
        ],
        env={"SQL_PASSWORD": postgres.password(place)},
        cwd=Path("/"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout)[-800:]
        raise UpstreamUnavailable(f"Temporal's schema cannot be made ({database}, {words[0]}): {said}")


def server_config(place: Place, address: str) -> dict[str, Any]:
    """Return the configuration of the server, whose frontend is at this address."""
    ports = place.ports
    rpc = {
        service: {
            "rpc": {
                "grpcPort": ports[f"temporal-{service}"],
                "membershipPort": ports[f"temporal-{service}-members"],
                "bindOnLocalHost": True,
                **({"httpPort": ports["temporal-http"]} if service == "frontend" else {}),
            }
        }
        for service in SERVICES
    }
    cluster = {
        "enabled": True,
        "initialFailoverVersion": 1,
        "rpcName": "frontend",
        "rpcAddress": address,
    }
    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "main",
            "visibilityStore": "visibility",
            "numHistoryShards": 4,
            "datastores": {
                "main": {"sql": _store(place, "temporal", connections=40)},
                "visibility": {"sql": _store(place, "temporal_visibility", connections=10)},
            },
        },
        "global": {
            "membership": {"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"},
            "metrics": {"prometheus": {"listenAddress": f"127.0.0.1:{ports['temporal-metrics']}"}},
        },
        "services": rpc,
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {"active": cluster},
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "dynamicConfigClient": {
            "filepath": str(place.path("temporal", "dynamic.yaml")),
            "pollInterval": "10s",
        },
    }


def _store(place: Place, database: str, *, connections: int) -> dict[str, Any]:
    return {
        "pluginName": "postgres12",
        "databaseName": database,
        "connectAddr": f"127.0.0.1:{place.ports['postgres']}",
        "connectProtocol": "tcp",
        "user": postgres.USER,
        "password": postgres.password(place),
        "maxConns": connections,
        "maxIdleConns": connections,
        "maxConnLifetime": "1h",
    }


def dynamic() -> dict[str, Any]:
    """Return the settings of `holdpoint up`, and caches that are looked at anew soon enough for a test."""
    values: dict[str, Any] = {name: _value(text) for name, text in FAST.items()}
    values["system.namespaceCacheRefreshInterval"] = "1s"
    values["system.forceSearchAttributesCacheRefreshOnRead"] = True
    return {name: [{"value": value}] for name, value in values.items()}


def _value(text: str) -> str | int:
    return text.strip('"') if text.startswith('"') else int(text)
