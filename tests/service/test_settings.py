"""Settings come from the file, the environment wins, and every mistake is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.models.errors import SettingsError
from holdpoint.service.settings import load_settings

GOOD = {
    "ledger_url": "sqlite:///ledger.db",
    "temporal_address": "127.0.0.1:7233",
    "opa_url": "http://127.0.0.1:8181",
    "opa_token_file": "opa/token",
    "clusters": {},
}


def write(folder: Path, **changes: object) -> Path:
    (folder / "settings.yaml").write_text(yaml.safe_dump({**GOOD, **changes}))
    return folder


def test_the_file_is_read(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path), {})

    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.data == tmp_path


def test_the_environment_wins(tmp_path: Path) -> None:
    env = {
        "HOLDPOINT_DATA": str(write(tmp_path)),
        "HOLDPOINT_OPA_URL": "http://opa:1",
        "HOLDPOINT_ENVIRONMENTS": "[blue, green]",
        "HOLDPOINT_GIT_HOSTS": "[git.example.com, '*.example.org:8443']",
        "HOLDPOINT_LOCAL_REPOSITORIES": "true",
        "HOLDPOINT_EMBEDDED": "true",
        "HOLDPOINT_TOKEN": "not a setting",
    }

    settings = load_settings(None, env)

    assert settings.opa_url == "http://opa:1"
    assert settings.environments == ["blue", "green"]
    assert settings.git_hosts == ["git.example.com", "*.example.org:8443"]
    assert settings.local_repositories
    assert settings.data == tmp_path


def test_only_who_starts_the_process_makes_it_part_of_the_embedded_stack(tmp_path: Path) -> None:
    folder = write(tmp_path, embedded=True, local_repositories=True)

    outside, inside = load_settings(folder, {}), load_settings(folder, {"HOLDPOINT_EMBEDDED": "true"})

    assert (outside.embedded, outside.local_repositories) == (False, False)
    assert (inside.embedded, inside.local_repositories) == (True, True)


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    env = {
        f"HOLDPOINT_{name.upper()}": yaml.safe_dump(value) if value == {} else str(value)
        for name, value in GOOD.items()
    }

    assert load_settings(tmp_path, env).ledger_url == GOOD["ledger_url"]


def test_every_mistake_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, environments="staging", temporal_adress="x"), {})

    assert "environments" in caught.value.message
    assert "temporal_adress" in caught.value.message


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00"], ids=["a list", "broken", "binary"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)

    with pytest.raises(SettingsError):
        load_settings(tmp_path, {})


TOKENS = {"forward_token_file": "/run/forward", "undo_token_file": "/run/undo"}
CONTEXTS = {"kubeconfig": "/etc/kubeconfig", "forward_context": "eu", "undo_context": "eu-undo"}


def cluster(**fields: object) -> dict[str, object]:
    return {"prometheus": "https://prometheus.example", **fields}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({}, "no way to reach it", id="no way"),
        pytest.param({"server": "https://a", **TOKENS, **CONTEXTS}, "both set", id="two ways"),
        pytest.param({"server": "https://a"}, "forward_token_file is missing", id="no token"),
        pytest.param(
            {"server": "https://a", "forward_token_file": "/f"}, "undo_token_file is missing", id="no undo"
        ),
        pytest.param({"in_cluster": True}, "undo_token_file is missing", id="no undo in the cluster"),
        pytest.param({**CONTEXTS, "undo_context": None}, "undo_context is missing", id="no undo context"),
        pytest.param({**CONTEXTS, "ca_file": "/ca"}, "ca_file has no meaning", id="a field of another way"),
        pytest.param({**CONTEXTS, "undo_context": "eu"}, "one identity", id="one context for both"),
        pytest.param(
            {"server": "https://a", "forward_token_file": "/t", "undo_token_file": "/t"},
            "one identity",
            id="one token for both",
        ),
        pytest.param({"server": "http://eu.example", **TOKENS}, "must be https", id="a token in clear"),
        pytest.param({"server": "https://me:pw@eu", **TOKENS}, "must not hold", id="a password in the URL"),
        pytest.param({"server": "eu:6443", **TOKENS}, "must be a URL", id="no URL"),
        pytest.param({"server": "https://a", **TOKENS, "tokenfile": "x"}, "tokenfile", id="unknown field"),
        pytest.param(
            {**CONTEXTS, "prometheus_tenant": "a\r\nHost: b"}, "prometheus_tenant", id="a header more"
        ),
        pytest.param({**CONTEXTS, "prometheus": "prometheus:9090"}, "must be a URL", id="no URL of metrics"),
        pytest.param(
            {**CONTEXTS, "prometheus": "http://mimir.example", "prometheus_token_file": "/run/mimir"},
            "must be https",
            id="a token for metrics in clear",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_named_with_field_and_reason(
    tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, clusters={"eu-1": cluster(**fields)}), {})

    assert "clusters.eu-1" in caught.value.message
    assert said in caught.value.message
    assert "pw" not in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"server": "https://a", **TOKENS, "ca_file": "/ca"}, id="token files"),
        pytest.param(CONTEXTS, id="contexts"),
        pytest.param({"in_cluster": True, "undo_token_file": "/run/undo"}, id="in the cluster"),
        pytest.param({**CONTEXTS, "undo_context": "eu", "undo_kubeconfig": "/etc/undo"}, id="two files"),
    ],
)
def test_a_cluster_with_two_identities_is_taken_without_a_warning(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    settings = load_settings(write(tmp_path, clusters={"eu-1": cluster(**fields)}), {})

    assert settings.warnings() == []


def test_one_identity_is_taken_when_it_is_meant_and_warned_of(tmp_path: Path) -> None:
    one = cluster(**{**CONTEXTS, "undo_context": "eu", "same_identity": True})

    settings = load_settings(write(tmp_path, clusters={"eu-1": one}), {})

    assert ["Cluster eu-1 has one identity" in warning for warning in settings.warnings()] == [True]


def test_a_named_file_stands_for_the_one_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = write(tmp_path / "etc") / "settings.yaml"
    (tmp_path / "settings.yaml").write_text("opa_url: http://other:1")
    file.write_text(file.read_text() + f"data: {tmp_path}\n")

    settings = load_settings(None, {}, file=file, drain="3s")

    assert (settings.data, settings.opa_url, settings.drain) == (tmp_path, GOOD["opa_url"], 3.0)


def test_a_named_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path, {}, file=tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("temporal_address", "temporal", "host:port"),
        ("opa_url", "opa:8181", "must be a URL"),
        ("ledger_url", "mysql://me:hunter2@db/x", "postgresql://user@host"),
        ("drain", "20", "duration"),
        ("health_address", "9100", "host:port"),
        ("log_level", "loud", "debug"),
        ("otlp_endpoint", "http://me:hunter2@c", "credentials"),
    ],
)
def test_a_wrong_setting_is_named_with_its_reason(tmp_path: Path, field: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path), {f"HOLDPOINT_{field.upper()}": value})

    assert field in caught.value.message
    assert said in caught.value.message
    assert "hunter2" not in caught.value.message


def test_the_collector_may_be_named_as_opentelemetry_names_it(tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}

    assert load_settings(write(tmp_path), env).otlp_endpoint == "http://collector:4318"
    ours = load_settings(write(tmp_path), {**env, "HOLDPOINT_OTLP_ENDPOINT": "http://ours:4318"})
    assert ours.otlp_endpoint == "http://ours:4318"


FLAGS = {"url": "https://flags.example/api", "credentials": ["flags"]}
KNOWN = {"flags": {"token_file": "/etc/holdpoint/flags.token"}}


def test_whom_requests_may_ask_is_read_with_its_credentials(tmp_path: Path) -> None:
    folder = write(tmp_path, http_allow=[FLAGS], http_credentials=KNOWN)
    env = {"HOLDPOINT_HTTP_ALLOW": "[{url: 'http://127.0.0.1:1', private: true}]"}

    there, over = load_settings(folder, {}), load_settings(folder, env)

    assert (there.http_allow[0].private, there.http_allow[0].credentials) == (False, ["flags"])
    assert there.http_credentials["flags"].header == "Authorization"
    assert [one.url for one in over.http_allow] == ["http://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (
            {**FLAGS, "credentials": ["other"]},
            r"http_allow\[0\].credentials: 'other' is not in ",
        ),
        ({**FLAGS, "url": "http://flags.example"}, r"http_allow\[0\].url must be https: a credential"),
        ({"url": "http://flags.example", "ca_file": "/ca.crt"}, r"http_allow\[0\].ca_file has no meaning"),
        ({"url": "https://flags.example/?a=1"}, r"http_allow.0.url: must not have a query"),
        ({"url": "flags.example"}, r"http_allow.0.url: must begin with https"),
        ({"url": "https://flags.example", "redirects": True}, r"http_allow.0.redirects"),
    ],
)
def test_mistake_in_whom_requests_may_ask_is_named(tmp_path: Path, allowed: Any, said: str) -> None:
    folder = write(tmp_path, http_allow=[allowed], http_credentials=KNOWN)

    with pytest.raises(SettingsError, match=said):
        load_settings(folder, {})
