"""The Temporal of docker-compose.yml, started by its own files: scripts, configuration and health check."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from holdpoint.embedded import ports
from holdpoint.embedded.folder import DataFolder, open_folder
from holdpoint.embedded.server import Server, http_ready
from holdpoint.embedded.supervisor import Supervisor
from holdpoint.embedded.temporal_server import NAMESPACE, find
from holdpoint.models.contracts import SEARCH_SERVICE
from tools.stack import postgres, temporal
from tools.stack.parts import binary
from tools.stack.place import Place, write_json

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    names = [*postgres.PORTS, *temporal.PORTS]
    return Place(open_folder(tmp_path / "stack"), ports.choose(names, {}))


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Supervisor]:
    """A PostgreSQL of its own: the names of Temporal's databases are fixed."""
    supervisor = Supervisor(place.folder, postgres.postgres(place).servers, ignore)
    await supervisor.start({})
    yield supervisor
    await supervisor.stop(["postgres"])


def ignore(_: str) -> None:
    pass


def run_script(service: str, programs: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the script of a service with the variables of the service, or ours in their place."""
    shell, inside = SERVICES[service]["entrypoint"]
    mounted = dict(volume.split(":")[1::-1] for volume in SERVICES[service]["volumes"])
    assert set(environment) == set(SERVICES[service]["environment"])
    return subprocess.run(
        [shell, str(ROOT / mounted[inside])],
        env={"PATH": f"{programs}:{os.defpath}", "HOME": str(programs), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def configured(place: Place) -> Path:
    """Return the server's file with what must be another one here: addresses, and places of files."""
    config = yaml.safe_load((COMPOSE / "temporal.yaml").read_text())
    for store in config["persistence"]["datastores"].values():
        store["sql"]["connectAddr"] = f"127.0.0.1:{place.ports['postgres']}"
        store["sql"]["user"] = postgres.USER
        store["sql"]["passwordCommand"]["args"] = [str(place.path("postgres", "password"))]
    for name, service in config["services"].items():
        service["rpc"]["grpcPort"] = place.ports[f"temporal-{name}"]
        service["rpc"]["membershipPort"] = place.ports[f"temporal-{name}-members"]
    config["services"]["frontend"]["rpc"]["httpPort"] = place.ports["temporal-http"]
    config["clusterMetadata"]["clusterInformation"]["active"]["rpcAddress"] = address(place)
    # Only the caches are looked at more often here: the minute that they take is not what is tested.
    dynamic = yaml.safe_load((COMPOSE / "temporal-dynamic.yaml").read_text()) | temporal.dynamic()
    config["dynamicConfigClient"]["filepath"] = str(
        write_json(place.path("temporal", "dynamic.yaml"), dynamic)
    )
    return write_json(place.path("temporal", "server.yaml"), config)


def address(place: Place) -> str:
    return f"127.0.0.1:{place.ports['temporal-frontend']}"


def server(place: Place) -> Server:
    """Return the server, which is ready when its health check says so."""
    program, option, _, *words = SERVICES["temporal"]["entrypoint"]
    found = re.search(r"http://127\.0\.0\.1:\d+(\S+)", SERVICES["temporal"]["healthcheck"]["test"][1])
    assert found is not None
    ready = http_ready(f"http://127.0.0.1:{place.ports['temporal-http']}{found[1]}")
    return Server("temporal", [str(binary(program)), option, str(configured(place)), *words], ready)


async def test_the_server_comes_up_with_tables_namespace_and_attributes_made_by_its_scripts(
    place: Place, database: Supervisor, tmp_path: Path
) -> None:
    asked = {
        "SQL_HOST": "127.0.0.1",
        "SQL_PORT": str(place.ports["postgres"]),
        "SQL_USER": postgres.USER,
        "SQL_PASSWORD_FILE": str(place.path("postgres", "password")),
        "SCHEMA": str(temporal.without_extension(place)),
    }
    for _ in range(2):
        made = run_script("temporal-schema", binary("temporal-sql-tool").parent, **asked)
        assert made.returncode == 0, made.stdout + made.stderr
    supervisor = Supervisor(DataFolder(place.folder.root), [server(place)], ignore)
    await supervisor.start({})

    try:
        for _ in range(2):
            made = await asyncio.to_thread(
                run_script, "temporal-namespace", Path(find()).parent, TEMPORAL_ADDRESS=address(place)
            )
            assert made.returncode == 0, made.stderr
        client = await Client.connect(address(place), namespace=NAMESPACE)
        counted = await client.count_workflows(f"{SEARCH_SERVICE} = 'none'")
    finally:
        await supervisor.stop(["temporal"])

    assert counted.count == 0
