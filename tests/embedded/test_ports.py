import socket
from pathlib import Path

import pytest

from holdpoint.embedded import ports


def test_the_ports_of_the_last_time_are_taken_again() -> None:
    first = ports.choose(("api", "opa"), {})

    assert ports.choose(("api", "opa"), first) == first


def test_a_port_that_is_taken_is_replaced() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        chosen = ports.choose(("api",), {"api": taken})

    assert chosen["api"] != taken


def test_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    chosen = ports.choose([f"server-{n}" for n in range(20)], {"server-1": 18000, "server-2": 18000})

    assert len(set(chosen.values())) == 20
    assert all(ports.FIRST <= port <= ports.LAST for port in chosen.values())


def test_the_ports_of_the_last_time_are_kept_in_a_file(tmp_path: Path) -> None:
    ports.remember(tmp_path / "ports.json", {"api": 18000, "opa": 18001})

    assert ports.remembered(tmp_path / "ports.json") == {"api": 18000, "opa": 18001}


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"api": "18000"}'])
def test_ports_that_cannot_be_read_are_chosen_anew(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "ports.json").write_text(text)

    assert ports.remembered(tmp_path / "ports.json") == {}
