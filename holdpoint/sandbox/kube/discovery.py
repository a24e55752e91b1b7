"""Which groups, versions and kinds there are, as clients ask before they talk."""

from typing import Any

from holdpoint.sandbox.kube.kinds import KINDS, Kind

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-holdpoint-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "sandbox",
}
VERBS = ["create", "delete", "get", "list", "patch", "update"]


def document(path: str) -> dict[str, Any] | None:
    """Return the discovery document at a path, or None when there is none."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(name) for name in _groups()],
            }
        case ["apis", group] if group in _groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        case ["api", "v1"]:
            return _resources("", "v1")
        case ["apis", group, version] if any((k.group, k.version) == (group, version) for k in KINDS):
            return _resources(group, version)
    return None


def _groups() -> list[str]:
    return sorted({kind.group for kind in KINDS if kind.group})


def _group(name: str) -> dict[str, Any]:
    version = next(kind.version for kind in KINDS if kind.group == name)
    listed = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [listed], "preferredVersion": listed}


def _resources(group: str, version: str) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
    listed = [entry for kind in kinds for entry in (_main(kind), *_below(kind))]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _main(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": VERBS,
        **({"shortNames": list(kind.short)} if kind.short else {}),
    }


def _below(kind: Kind) -> list[dict[str, Any]]:
    entries = []
    for name in kind.subresources:
        entry = {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get", "patch", "update"],
        }
        if name == "scale":
            entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        entries.append(entry)
    return entries
