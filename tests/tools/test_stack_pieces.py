"""Which parts are started, and what the workload tells of its pods."""

import random
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from holdpoint.models.errors import SettingsError
from holdpoint.sandbox.prom.series import Database
from holdpoint.sandbox.prom.traffic import Counters, target_of
from tools.stack import pieces, selection
from tools.stack.bundle_server import application as bundle_server
from tools.stack.workload import exposition


def test_all_parts_are_started_unless_some_are_named() -> None:
    assert selection.chosen([]) == list(pieces.PIECES)
    assert selection.chosen(["git"]) == ["git"]


def test_part_brings_those_that_it_cannot_be_without() -> None:
    assert selection.chosen(["temporal"]) == ["postgres", "temporal"]
    assert selection.chosen(["prometheus"]) == ["kubernetes", "prometheus"]


def test_unknown_part_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(SettingsError, match=r"Unknown part: mysql.*postgres"):
        selection.chosen(["mysql"])


def test_commands_that_need_no_client_of_a_server_load_none() -> None:
    slow = "{'httpx', 'psycopg', 'pydantic', 'temporalio', 'kubernetes'}"
    program = (
        f"import sys; import tools.stack.__main__ as it; it._parser().parse_args(['build']);"
        f"sys.exit(', '.join(sorted({slow} & set(sys.modules))))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""


def test_no_two_servers_share_a_port() -> None:
    names = pieces.ports_of(pieces.PIECES)

    assert len(set(names)) == len(names)


def test_exposition_has_the_newest_sample_of_every_pod_that_still_runs() -> None:
    database, counters = Database(), Counters(random.Random(1))
    for name in ("gone", "here"):
        database.targets.append(target_of("shop", "web", name))
        database.targets[-1].append(1000, counters.sample())
    database.targets[0].end(2000)
    counters.serve(100, 0.5, 80)
    database.targets[1].append(2000, counters.sample())

    lines = exposition(database).splitlines()

    served = [line for line in lines if line.startswith("http_requests_total{")]
    assert not [line for line in lines if 'pod="gone"' in line]
    assert len(served) == 2
    assert sum(float(line.split()[-1]) for line in served) == counters.requests
    assert any('le="0.3"' in line for line in lines)


async def test_unchanged_bundle_is_not_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(b"one")
    transport = httpx.ASGITransport(bundle_server(file))
    async with httpx.AsyncClient(base_url="http://bundles", transport=transport) as http:
        first = await http.get("/bundle.tar.gz")
        known = {"If-None-Match": first.headers["etag"]}
        again = await http.get("/bundle.tar.gz", headers=known)
        file.write_bytes(b"two")
        changed = await http.get("/bundle.tar.gz", headers=known)

    assert (first.content, again.status_code, changed.content) == (b"one", 304, b"two")
