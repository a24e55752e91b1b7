"""The parts a stack can have, by name: which ports each needs, and how it is made."""

from collections.abc import Callable, Iterable, Mapping

from tools.stack import git, kubernetes, opa, postgres, prometheus, temporal
from tools.stack.place import Piece, Place

Maker = Callable[[Place], Piece]

PIECES: Mapping[str, tuple[Maker, tuple[str, ...]]] = {
    "kubernetes": (kubernetes.kubernetes, kubernetes.PORTS),
    "prometheus": (prometheus.prometheus, prometheus.PORTS),
    "postgres": (postgres.postgres, postgres.PORTS),
    "temporal": (temporal.temporal, temporal.PORTS),
    "opa": (opa.opa, opa.PORTS),
    "git": (git.git, git.PORTS),
}
"""Maker and names of its ports, for each part of `selection.BUILT`."""


def ports_of(names: Iterable[str]) -> list[str]:
    """Return the names of the ports that these parts listen on."""
    return [port for name in names for port in PIECES[name][1]]


def make(names: Iterable[str], place: Place) -> list[Piece]:
    """Return the pieces, their files written. Raises SettingsError for what is not built."""
    return [PIECES[name][0](place) for name in names]
