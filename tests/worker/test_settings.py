"""A worker says what is wrong with its settings before it waits for anybody."""

import asyncio
from pathlib import Path

import pytest

from holdpoint.models.errors import SettingsError
from holdpoint.models.settings import ClusterSettings, Settings
from holdpoint.telemetry.traces import start
from worker.main import serve


async def test_a_cluster_that_can_never_be_reached_ends_the_worker_while_temporal_is_away(
    tmp_path: Path,
) -> None:
    cluster = ClusterSettings(
        server="https://eu-1.example",
        ca_file=tmp_path / "none.crt",
        forward_token_file=tmp_path / "forward",
        undo_token_file=tmp_path / "undo",
        prometheus="https://prometheus.example",
    )
    settings = Settings(
        data=tmp_path,
        ledger_url=f"sqlite:///{tmp_path}/ledger.db",
        temporal_address="127.0.0.1:9",
        opa_url="http://127.0.0.1:9",
        opa_token_file=tmp_path / "token",
        clusters={"eu-1": cluster},
    )

    with pytest.raises(SettingsError, match=r"clusters\.eu-1\.ca_file: there is no file"):
        await serve(settings, asyncio.Event(), start(None, service="test"))
