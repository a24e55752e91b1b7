"""docker-compose.yml: no engine runs here, so it is held against its schema and the code it starts."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from holdpoint.cli.main import app
from holdpoint.embedded.container_setup import set_up
from holdpoint.embedded.policy_bundle import Bundle
from holdpoint.embedded.temporal_server import NAMESPACE, RETENTION_SECONDS
from holdpoint.models import contracts
from holdpoint.models.settings import Settings
from holdpoint.service.process_end import AFTER_DRAIN
from holdpoint.service.settings import load_settings
from tests.policies import real_opa

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("api", "worker-1", "worker-2")
ONCE = ("temporal-schema", "temporal-namespace", "setup", "migrate")
"""Run to their end at the start; others wait for that."""


def settings_of(service: str) -> Settings:
    """Return the settings that a service starts with, read by the code that reads them there."""
    command = SERVICES[service]["command"]
    mounted = dict(volume.split(":")[1::-1] for volume in SERVICES[service]["volumes"])
    inside = command[command.index("--settings") + 1]
    return load_settings(None, SERVICES[service]["environment"], file=ROOT / mounted[inside])


def test_it_is_a_compose_file() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(COMPOSE)


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_by_an_exact_tag(service: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", SERVICES[service]["image"])


@pytest.mark.parametrize("service", sorted(set(SERVICES) - set(ONCE)))
def test_every_service_that_stays_is_watched_and_started_again(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_who_waits_for_another_names_one_that_is_there_and_can_say_so() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, (name, other)
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            if how["condition"] == "service_completed_successfully":
                assert other in ONCE, (name, other)


def test_no_secret_is_in_it() -> None:
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not re.search(r"PASSWORD$|TOKEN$|SECRET$|_PWD$", variable), (name, variable)


@pytest.mark.parametrize("service", OURS)
def test_our_commands_and_options_are_those_of_the_command_line(service: str) -> None:
    name, *arguments = SERVICES[service]["command"]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # the app is a group

    context = command.make_context(name, arguments)

    assert context.args == []


@pytest.mark.parametrize("service", OURS)
def test_our_settings_are_those_that_the_code_reads_and_name_the_other_services(service: str) -> None:
    settings = settings_of(service)

    assert settings.temporal_address == "temporal:7233"
    assert settings.opa_url == "http://opa:8181"
    assert "@postgres/holdpoint" in settings.ledger_url
    assert str(settings.data) == "/data"
    assert settings.temporal_namespace == NAMESPACE
    volumes = [volume.split(":")[1] for volume in SERVICES[service]["volumes"]]
    assert str(settings.opa_token_file.parent) in volumes
    assert f"/run/secrets/{SERVICES[service]['secrets'][0]}" == str(settings.ledger_password_file)


@pytest.mark.parametrize("service", [*OURS, "setup", "opa"])
def test_ours_run_without_rights_on_a_root_that_cannot_be_written(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]


def test_the_setup_makes_what_api_workers_and_opa_start_with(tmp_path: Path) -> None:
    for _ in range(2):
        set_up(data=tmp_path / "data", policies=tmp_path / "policies", opa=real_opa.find())

    served = SERVICES["opa"]["command"][-1].removeprefix("/policies/")
    assert len((tmp_path / "data" / "keys" / "blob.key").read_bytes()) == 32
    assert (tmp_path / "policies" / served).exists()
    assert (tmp_path / "policies" / "token").read_text()
    assert SERVICES["setup"]["command"] == ["--data", "/data", "--policies", "/policies"]


def test_opa_serves_as_up_serves_it() -> None:
    bundle = Bundle(opa=Path("opa"), policies=Path("policies"), folder=Path("/policies"))
    _, *embedded = bundle.command(8181)

    assert SERVICES["opa"]["command"] == [one.replace("127.0.0.1", "0.0.0.0") for one in embedded]


def test_opa_is_the_version_that_everything_is_tested_with() -> None:
    pinned = re.search(r"open-policy-agent/opa v(\S+)", (ROOT / "tools" / "opa" / "go.mod").read_text())

    assert pinned is not None
    image = f"openpolicyagent/opa:{pinned[1]}-static"
    assert SERVICES["opa"]["image"] == image
    assert f"FROM {image} AS opa" in (ROOT / "Dockerfile").read_text()


def test_our_namespace_is_made_as_up_makes_it() -> None:
    script = (ROOT / "deploy" / "compose" / "temporal-namespace.sh").read_text()

    assert set(re.findall(r"--namespace (\S+)", script)) == {NAMESPACE}
    assert f"create --namespace {NAMESPACE} --retention {RETENTION_SECONDS // 86400}d" in script
    assert set(re.findall(r"--name (\S+) --type Keyword", script)) == {
        contracts.SEARCH_SERVICE,
        contracts.SEARCH_ENVIRONMENT,
        contracts.SEARCH_PHASE,
    }


def test_files_that_are_mounted_are_there_and_nothing_is_mounted_over_a_program() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, inside, *_ = volume.split(":")
            assert not source.startswith("./") or (ROOT / source).is_file(), (name, source)
            # OPA's program is the file /opa of its image.
            assert inside not in ("/opa", "/usr", "/bin", "/usr/local/bin"), (name, inside)


@pytest.mark.parametrize("service", OURS)
def test_a_process_is_killed_only_after_it_had_its_time_to_drain(service: str) -> None:
    seconds = int(SERVICES[service]["stop_grace_period"].removesuffix("s"))

    assert seconds > settings_of(service).drain + AFTER_DRAIN


def test_prometheus_asks_the_ports_that_ours_listen_on() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yml").read_text())
    groups = [group for job in config["scrape_configs"] for group in job["static_configs"]]
    targets = {one for group in groups for one in group["targets"]}
    listening = {f"{name}:{SERVICES[name]['command'][-1].split(':')[-1]}" for name in OURS}

    assert targets == listening


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [line for line in lines if line.startswith("FROM ")]
    last = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM ")) :]

    assert len(stages) > 1
    assert all(re.search(r":\d+\.\d+\.\d+-[a-z-]+( AS \w+)?$", stage) for stage in stages), stages
    assert "USER 10001:10001" in last
    assert not any(line.startswith("COPY . ") for line in lines)


@pytest.mark.parametrize(
    "package",
    [
        pytest.param("openssh-client", id="what Git runs for an ssh URL"),
        pytest.param("procps", id="what GitPython finds the processes of a fetch with that takes too long"),
    ],
)
def test_the_image_has_what_git_needs_besides_itself(package: str) -> None:
    installed = re.findall(r"install -y --no-install-recommends (.+) \\", (ROOT / "Dockerfile").read_text())

    assert package in " ".join(installed).split()


def test_what_the_image_copies_is_there_and_let_in() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert f"!{name}" in allowed, name
