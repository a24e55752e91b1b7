"""How lists and maps of the served kinds merge (`x-kubernetes-list-type`, `-map-keys`, `-map-type`).

Source: the markers on the types in k8s.io/api. A list that is not named here is atomic: it is replaced whole
and owned whole. A map that is not named here merges key by key.
"""

from typing import Any

Path = tuple[str, ...]
"""Field names from the root; the items of a list are the step `[]`."""

_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "claims": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "secrets": ("name",),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
"""Defaults of merge keys: they are applied before items are matched."""

_SETS = {("metadata", "finalizers")}

_ATOMIC_MAPS = {
    "selector",  # metav1.LabelSelector and the selector of a Service
    "labelSelector",
    "nodeSelector",
    "scaleTargetRef",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "fileKeyRef",
    "secretRef",
    "localObjectReference",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "dataSource",
    "resource",
}


def list_keys(path: Path) -> tuple[str, ...] | None:
    """Return the merge keys of the list at a path, or None when it is atomic or a set."""
    last = path[-1]
    if last == "ports":
        if len(path) >= 3 and path[-3].lower().endswith("containers"):
            return ("containerPort", "protocol")
        return ("port", "protocol") if path == ("spec", "ports") else None
    if last == "imagePullSecrets":
        return ("name",) if len(path) > 1 else None
    if last == "conditions" and path[0] != "status":
        return None
    return _LIST_KEYS.get(last)


def is_set(path: Path) -> bool:
    """Tell whether the list at a path is a set of scalars."""
    return path in _SETS


def is_atomic_map(path: Path) -> bool:
    """Tell whether the map at a path is replaced and owned whole."""
    return path[-1] in _ATOMIC_MAPS if path else False


def item_key(item: Any, keys: tuple[str, ...]) -> tuple[tuple[str, Any], ...] | None:
    """Return the merge key of a list's item, or None when the item lacks a part of it."""
    if not isinstance(item, dict):
        return None
    found = tuple((key, item.get(key, _KEY_DEFAULTS.get(key))) for key in keys)
    return None if any(value is None for _, value in found) else found
