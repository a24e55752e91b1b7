"""Makes `schema.json` from Kubernetes' own schema of server-side apply.

The source is the YAML inside `applyconfigurations/internal/internal.go` of the Go module k8s.io/client-go
v0.36.3: every field of every type, and how it merges. Run `python -m holdpoint.sandbox.kube.schema_source
FILE > schema.json`.

In the result a type is one of `{"s": scalar}`, `{"f": {field: type}}`, `{"m": type}` (a map), `{"l": type}`
(a list), `{"t": name}` (another type); `"a"` marks atomic, `"k"` the merge keys of a list, `"u"` a set,
`"d"` a default.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOTS = (
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.networking.v1.Ingress",
)
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def compact(source: str) -> dict[str, Any]:
    """Return the schema of the served kinds from the text of the Go file."""
    found = re.search(r"schemaYAML = typed.YAMLObject\(`(.*)`\)", source, re.DOTALL)
    if not found:
        raise ValueError("the file holds no schemaYAML")
    known = {entry["name"]: entry for entry in yaml.safe_load(found[1])["types"]}
    types: dict[str, Any] = {QUANTITY: {"s": "quantity"}}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in types:
            types[name] = _type(known[name], waiting)
    return {"roots": {name.rpartition(".")[2]: name for name in ROOTS}, "types": dict(sorted(types.items()))}


def _type(entry: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    """Return one type; the names that it refers to join the waiting ones."""
    if "namedType" in entry:
        waiting.append(entry["namedType"])
        out: dict[str, Any] = {"t": entry["namedType"]}
        return {**out, "a": 1} if entry.get("elementRelationship") == "atomic" else out
    if entry.get("scalar") == "untyped" or not {"list", "map", "scalar"} & set(entry):
        return {"s": "untyped"}
    if "scalar" in entry:
        return {"s": entry["scalar"]}
    if "list" in entry:
        return _list(entry["list"], waiting)
    return _map(entry["map"], waiting)


def _list(entry: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"l": _type(entry["elementType"], waiting)}
    if entry.get("elementRelationship") != "associative":
        return out
    return {**out, "k": entry["keys"]} if entry.get("keys") else {**out, "u": 1}


def _map(entry: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    atomic = {"a": 1} if entry.get("elementRelationship") == "atomic" else {}
    if "fields" not in entry:
        return {"m": _type(entry["elementType"], waiting), **atomic}
    fields = {}
    for field in entry["fields"]:
        default = {"d": field["default"]} if field.get("default") not in (None, "", {}, 0, False) else {}
        fields[field["name"]] = {**_type(field["type"], waiting), **default}
    return {"f": fields, **atomic}


def main() -> None:
    """Print the schema made from the file that the command line names."""
    text = json.dumps(compact(Path(sys.argv[1]).read_text()), separators=(",", ":"))
    sys.stdout.write(text.replace('},"io.k8s', '},\n"io.k8s') + "\n")


if __name__ == "__main__":
    main()
