"""docker-compose.yml against `make real-up`: what is tested here is what runs there, service by service.

Whatever differs is in a table, with its reason; what is in the table and does not differ is an error as well.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.embedded.folder import DataFolder
from tests.policies import real_opa
from tools.stack import opa, parts, postgres, prometheus, temporal
from tools.stack.place import Place

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PORTS = {
    "postgres": 5432,
    "temporal-frontend": 7233,
    "temporal-http": 7243,
    "temporal-history": 7234,
    "temporal-matching": 7235,
    "temporal-worker": 7239,
    "temporal-frontend-members": 6933,
    "temporal-history-members": 6934,
    "temporal-matching-members": 6935,
    "temporal-worker-members": 6939,
    "temporal-metrics": 8000,
    "opa": 8181,
    "bundles": 8182,
    "prometheus": 9090,
    "workload": 9091,
}
"""In a container every server has its usual port; here they are whatever is free."""
ELSEWHERE = "the servers that it talks to, or that talk to it, are other containers"
SECRET = "the password is a file that is not in the checkout"
PLACES = "the files lie elsewhere in the image"

POSTGRES = {
    "listen_addresses": ELSEWHERE,
    "unix_socket_directories": "its image's own set-up runs over the socket",
    "port": "it is the default",
    "fsync": "a machine there may lose its power; nothing that the ledger acknowledged may be lost",
    "full_page_writes": "as fsync: a torn page must be mended after a crash of the machine",
}
DATABASE = "persistence.datastores.{}.sql.{}"
TEMPORAL = {
    **{DATABASE.format(name, "connectAddr"): ELSEWHERE for name in ("main", "visibility")},
    **{DATABASE.format(name, "user"): "its image makes no user postgres" for name in ("main", "visibility")},
    **{DATABASE.format(name, "password"): SECRET for name in ("main", "visibility")},
    **{DATABASE.format(name, "passwordCommand.command"): SECRET for name in ("main", "visibility")},
    **{DATABASE.format(name, "passwordCommand.args"): SECRET for name in ("main", "visibility")},
    "services.frontend.rpc.bindOnLocalHost": ELSEWHERE,
    "services.frontend.rpc.bindOnIP": ELSEWHERE,
    "global.metrics.prometheus.listenAddress": "nobody asks for them there",
    "dynamicConfigClient.filepath": PLACES,
}
DYNAMIC = {
    "system.namespaceCacheRefreshInterval": "only tests make a namespace and use it in the same second",
    "system.forceSearchAttributesCacheRefreshOnRead": "as the namespaces; it costs a read for each query",
}
OPA = {
    "--addr": ELSEWHERE,
    "--config-file": "one machine needs no server of bundles: the file is in a volume, and watched",
    "--watch": "as --config-file",
    "--bundle": "as --config-file",
}
PROMETHEUS = {
    "--config.file": PLACES,
    "--storage.tsdb.path": PLACES,
    "--web.listen-address": ELSEWHERE,
    "--storage.tsdb.retention.time": "the default, said aloud for who plans the disk",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(DataFolder(tmp_path), PORTS)


def flat(document: Any, prefix: str = "") -> dict[str, Any]:
    """Return a document's leaves by their paths."""
    if not isinstance(document, dict):
        return {prefix: document}
    leaves = (flat(value, f"{prefix}.{name}".lstrip(".")) for name, value in document.items())
    return {name: value for leaf in leaves for name, value in leaf.items()}


def options(words: list[str]) -> dict[str, str]:
    """Return options by name, and other words; `--bundle` alone has its value in the next word."""
    joined = re.sub(r"--bundle ", "--bundle=", " ".join(words)).split()
    return dict(word.partition("=")[::2] for word in joined)


def differing(there: dict[str, Any], here: dict[str, Any]) -> set[str]:
    missing = object()
    return {name for name in {*there, *here} if there.get(name, missing) != here.get(name, missing)}


def health_of(service: str) -> str:
    return " ".join(SERVICES[service]["healthcheck"]["test"])


def test_postgresql_has_the_settings_that_the_ledger_is_tested_with(place: Place) -> None:
    command = SERVICES["postgres"]["command"]
    there = dict(word.split("=") for word in command if "=" in word)

    assert command[0] == "postgres"
    assert differing(there, postgres.settings(place)) == set(POSTGRES)
    assert tuple(SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()) == postgres.INITIALISED


def test_temporal_has_the_configuration_that_tickets_are_tested_with(place: Place) -> None:
    entrypoint = SERVICES["temporal"]["entrypoint"]
    there = yaml.safe_load((COMPOSE / "temporal.yaml").read_text())
    here = json.loads(json.dumps(temporal.server_config(place, "127.0.0.1:7233")))

    assert entrypoint == ["temporal-server", "--config-file", "/etc/temporal/holdpoint.yaml", *temporal.START]
    assert differing(flat(there), flat(here)) == set(TEMPORAL)
    ask = {"command": "cat", "args": ["/run/secrets/postgres_password"]}
    assert all(one["sql"]["passwordCommand"] == ask for one in there["persistence"]["datastores"].values())
    mounted = dict(volume.split(":")[1::-1] for volume in SERVICES["temporal"]["volumes"])
    assert mounted[there["dynamicConfigClient"]["filepath"]] == "./deploy/compose/temporal-dynamic.yaml"


def test_temporal_is_as_quick_there_as_here() -> None:
    there = yaml.safe_load((COMPOSE / "temporal-dynamic.yaml").read_text())

    assert differing(there, temporal.dynamic()) == set(DYNAMIC)


def test_temporals_tables_are_made_by_the_same_steps() -> None:
    script = (COMPOSE / "temporal-schema.sh").read_text()

    pairs = dict(pair.split(":") for pair in re.findall(r"\b(\w+:\w+)\b", script))
    assert pairs == temporal.DATABASES
    assert re.findall(r"^  \$tool (\S+)", script, re.MULTILINE) == ["create", "setup-schema", "update-schema"]


def test_opa_has_the_options_that_policies_are_tested_with(place: Place) -> None:
    there, here = SERVICES["opa"]["command"], opa.options(place, Path("config.json"))

    assert differing(options(there), options(here)) == set(OPA)
    assert opa.READY in health_of("opa")


def test_prometheus_has_the_options_that_canaries_are_judged_with(place: Place) -> None:
    there, here = SERVICES["prometheus"]["command"], prometheus.options(place, Path("prometheus.yml"))

    assert differing(options(there), options(here)) == set(PROMETHEUS)
    assert prometheus.READY in health_of("prometheus")


def test_opa_is_healthy_as_long_as_it_answers(tmp_path: Path) -> None:
    program, *words = SERVICES["opa"]["healthcheck"]["test"][1:]
    assert program == "/opa"

    def healthy(url: str) -> bool:
        asked = [word.replace("http://127.0.0.1:8181", url) for word in words]
        return subprocess.run([real_opa.find(), *asked], capture_output=True, check=False).returncode == 0

    with real_opa.served(tmp_path) as served:
        assert healthy(served.url)
        assert not healthy(f"{served.url}/v1")
        served.process.kill()
        served.process.wait()
        assert not healthy(served.url)


def test_every_server_is_of_the_version_that_everything_is_tested_with() -> None:
    said = subprocess.run([postgres.program("postgres"), "--version"], capture_output=True, check=True).stdout
    installed = re.search(r"PostgreSQL\) (\S+)", said.decode())
    assert installed is not None
    temporal_version = parts.named("temporal").version.removeprefix("v")
    # Prometheus' module is v0.315.0 where its release is v3.15.0.
    _, minor, patch = parts.named("prometheus").version.split(".")

    images = {name: service["image"] for name, service in SERVICES.items()}
    assert images["postgres"] == f"postgres:{installed[1]}-bookworm"
    assert images["temporal"] == f"temporalio/server:{temporal_version}"
    for once in ("temporal-schema", "temporal-namespace"):
        assert images[once] == f"temporalio/admin-tools:{temporal_version}"
    assert images["prometheus"] == f"prom/prometheus:v{minor[0]}.{int(minor[1:])}.{patch}"
