"""What is wrong with the targets that a change file names: unknown clusters, selectors without a match."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from holdpoint.models.change import Change
from holdpoint.models.waves import MOST_TARGETS, matching
from holdpoint.service.change_mistakes import Mistake, field_name
from holdpoint.service.change_nodes import Loc, kind_of, locate

Labels = Mapping[str, Mapping[str, str]]
"""The labels of each cluster that the settings know."""

SELECTOR: Loc = ("spec", "targets", "selector")


def cluster_places(value: Any) -> Iterator[Loc]:
    """Yield each place where the file names a cluster."""
    yield ("spec", "target", "cluster")
    spec = value.get("spec") if isinstance(value, dict) else None
    targets = spec.get("targets") if isinstance(spec, dict) else None
    named = targets.get("clusters") if isinstance(targets, dict) else None
    for index in range(len(named) if isinstance(named, list) else 0):
        yield ("spec", "targets", "clusters", index)


def wrong_selector(root: yaml.Node, change: Change, labels: Labels) -> Iterator[Mistake]:
    """Yield the selector that finds no cluster, or more than one change may go to."""
    targets = change.spec.targets
    if targets is None or targets.selector is None:
        return
    found = matching(targets, labels)
    if 0 < len(found) <= MOST_TARGETS:
        return
    wanted = ", ".join(f"{name}={value}" for name, value in sorted(targets.selector.labels.items()))
    known = sorted({f"{name}={value}" for has in labels.values() for name, value in has.items()})
    if found:
        says = f"finds {len(found)} clusters; one change goes to at most {MOST_TARGETS}"
    else:
        says = f"finds no cluster. Labels in the settings: {', '.join(known[:20]) or 'none'}"
    place, name = locate(root, SELECTOR), field_name(SELECTOR)
    yield Mistake.at(
        place.mark,
        field=name,
        found=kind_of(place.node),
        allowed=f"labels that 1 to {MOST_TARGETS} clusters of the settings have",
        message=f"Wrong value: {name} ({wanted}) {says}.",
    )
