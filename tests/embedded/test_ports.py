import socket

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
