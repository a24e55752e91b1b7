"""An API server that dies and comes back, asked all the time meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.kubernetes import Clusters
from holdpoint.models.errors import TransientError
from holdpoint.models.record import ObjectRef
from tests.real.kubernetes_admin import Admin
from tests.real.processes import StackServer

pytestmark = pytest.mark.real

SECONDS = 90.0


async def test_an_api_server_that_starts_again_is_away_and_never_says_no(
    admin: Admin, namespace: str, stack_folder: Path, real_stack: dict[str, Any], tmp_path: Path
) -> None:
    clusters = Clusters({"real": admin.settings(tmp_path)})
    cluster = clusters.forward("real")
    ref = ObjectRef(
        cluster="real", api_version="apps/v1", kind="Deployment", namespace=namespace, name="none"
    )
    assert await cluster.read(ref) is None
    StackServer(stack_folder, "apiserver", supervisor=real_stack["pid"]).kill()

    away = 0
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await cluster.read(ref)
            except TransientError:
                away += 1
            else:
                if away:
                    break
            # Each moment of its start is to be met, and it announces none of them.
            await asyncio.sleep(0.01)

    await clusters.close()
