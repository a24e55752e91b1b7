"""The parts a stack can have, by name: which ports each needs, and how it is made."""

from collections.abc import Callable, Iterable, Mapping

from holdpoint.models.errors import SettingsError
from tools.stack import git, kubernetes, opa, postgres, prometheus, temporal
from tools.stack.place import Piece, Place

Maker = Callable[[Place], Piece]

PIECES: Mapping[str, tuple[Maker, tuple[str, ...], tuple[str, ...]]] = {
    "kubernetes": (kubernetes.kubernetes, kubernetes.PORTS, ("etcd", "kubernetes", "kwok", "gateway-api")),
    "prometheus": (prometheus.prometheus, prometheus.PORTS, ("prometheus",)),
    "postgres": (postgres.postgres, postgres.PORTS, ()),
    "temporal": (temporal.temporal, temporal.PORTS, ("temporal",)),
    "opa": (opa.opa, opa.PORTS, ()),
    "git": (git.git, git.PORTS, ()),
}
"""Maker, names of its ports, and the built parts that it starts."""

NEEDS: Mapping[str, tuple[str, ...]] = {"prometheus": ("kubernetes",), "temporal": ("postgres",)}
"""A part that is asked for brings those that it cannot be without."""


def chosen(names: Iterable[str]) -> list[str]:
    """Return the parts to start, in order, all if none is named. Raises SettingsError that lists them."""
    wanted = set(names) or set(PIECES)
    if unknown := sorted(wanted - set(PIECES)):
        raise SettingsError(f"Unknown part: {', '.join(unknown)}. There are: {', '.join(PIECES)}.")
    for name in list(wanted):
        wanted |= set(NEEDS.get(name, ()))
    return [name for name in PIECES if name in wanted]


def ports_of(names: Iterable[str]) -> list[str]:
    """Return the names of the ports that these parts listen on."""
    return [port for name in names for port in PIECES[name][1]]


def built_parts_of(names: Iterable[str]) -> list[str]:
    """Return the parts that must be built for these."""
    return list(dict.fromkeys(part for name in names for part in PIECES[name][2]))


def make(names: Iterable[str], place: Place) -> list[Piece]:
    """Return the pieces, their files written. Raises SettingsError for what is not built."""
    return [PIECES[name][0](place) for name in names]
