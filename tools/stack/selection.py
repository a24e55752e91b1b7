"""Which parts a stack can have and what each cannot be without, known without loading any of them."""

from collections.abc import Iterable, Mapping

from holdpoint.models.errors import SettingsError

BUILT: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("etcd", "kubernetes", "kwok", "gateway-api"),
    "prometheus": ("prometheus",),
    "postgres": (),
    "temporal": ("temporal",),
    "opa": (),
    "git": (),
}
"""Every part in the order in which they are made, with what must be built for it (`parts.PARTS`)."""

NEEDS: Mapping[str, tuple[str, ...]] = {"prometheus": ("kubernetes",), "temporal": ("postgres",)}
"""A part that is asked for brings those that it cannot be without."""


def chosen(names: Iterable[str]) -> list[str]:
    """Return the parts to start, in order, all if none is named. Raises SettingsError that lists them."""
    wanted = set(names) or set(BUILT)
    if unknown := sorted(wanted - set(BUILT)):
        raise SettingsError(f"Unknown part: {', '.join(unknown)}. There are: {', '.join(BUILT)}.")
    for name in list(wanted):
        wanted |= set(NEEDS.get(name, ()))
    return [name for name in BUILT if name in wanted]


def built_parts_of(names: Iterable[str]) -> list[str]:
    """Return the parts that must be built for these."""
    return list(dict.fromkeys(part for name in names for part in BUILT[name]))
