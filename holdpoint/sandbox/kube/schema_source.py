"""Makes `schema.json` from Kubernetes' own schema of server-side apply and its Go types.

The schema is the YAML inside `applyconfigurations/internal/internal.go` of the Go module k8s.io/client-go
v0.36.3: every field of every type, and how it merges; that of Gateway API's types is in the same place of the
Go module sigs.k8s.io/gateway-api v1.7.0. Which zeros are not written is in the struct tags of
the Go modules k8s.io/api and k8s.io/apimachinery of the same version. With these in one folder, run
`python -m holdpoint.sandbox.kube.schema_source FOLDER > schema.json`.

In the result a type is one of `{"s": scalar}`, `{"f": {field: type}}`, `{"m": type}` (a map), `{"l": type}`
(a list), `{"t": name}` (another type); `"a"` marks atomic, `"k"` the merge keys of a list, `"u"` a set,
`"d"` a default, `"z"` a struct that is never absent, `"o"` a scalar whose zero is not written.
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
    "io.k8s.api.core.v1.ResourceQuota",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.apps.v1.ControllerRevision",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.networking.v1.Ingress",
    "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
)
GATEWAY_ROOT = "io.k8s.sigs.gateway-api.apis.v1.HTTPRoute"
GATEWAY_VERSION = "v1.7.0"
GROUPS = (
    *("core.v1", "apps.v1", "batch.v1", "autoscaling.v2", "policy.v1", "networking.v1"),
    "admissionregistration.v1",
)
VERSION = "v0.36.3"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def compact(schemas: list[str], omitted: set[tuple[str, str]]) -> dict[str, Any]:
    """Return the schema of the served kinds from the texts of the Go files.

    `omitted` holds type and field of every scalar whose zero is not written.
    """
    known = {entry["name"]: entry for text in schemas for entry in _entries(text)}
    types: dict[str, Any] = {QUANTITY: {"s": "quantity"}}
    roots = (*ROOTS, GATEWAY_ROOT)
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in types:
            types[name] = _type(known[name], waiting)
            for field, body in types[name].get("f", {}).items():
                if "s" in body and (name, field) in omitted:
                    body["o"] = 1
    return {"roots": {name.rpartition(".")[2]: name for name in roots}, "types": dict(sorted(types.items()))}


def _entries(text: str) -> list[dict[str, Any]]:
    """Return the types of one Go file, under the names that Kubernetes' own file gives them."""
    found = re.search(r"schemaYAML = typed.YAMLObject\(`(.*)`\)", text, re.DOTALL)
    if not found:
        raise ValueError("the file holds no schemaYAML")
    # Gateway API's file has Kubernetes' types backwards: ObjectMeta.v1.meta.apis.pkg.apimachinery.k8s.io.
    plain = re.sub(r"\b(\w+)\.v1\.meta\.apis\.pkg\.apimachinery\.k8s\.io\b", META + r".\1", found[1])
    types: list[dict[str, Any]] = yaml.safe_load(plain)["types"]
    return types


def omitted_zeros(prefix: str, source: str) -> set[tuple[str, str]]:
    """Return type and field of every field that is no pointer and is left out when it is zero."""
    out = set()
    for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL):
        fields = re.findall(r"^\t\w+\s+([^\s`]+)\s+`json:\"(\w+),omitempty", body, re.MULTILINE)
        out |= {(f"{prefix}.{name}", field) for kind, field in fields if not kind.startswith("*")}
    return out


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
        default = field.get("default")
        mark = {"z": 1} if default == {} else {"d": default} if default is not None else {}
        fields[field["name"]] = {**_type(field["type"], waiting), **mark}
    return {"f": fields, **atomic}


def main() -> None:
    """Print the schema made from the modules in the folder that the command line names."""
    folder = Path(sys.argv[1])
    sources = {f"io.k8s.api.{root}": f"api@{VERSION}/{root.replace('.', '/')}/types.go" for root in GROUPS}
    sources[META] = f"apimachinery@{VERSION}/pkg/apis/meta/v1/types.go"
    omitted = set()
    for prefix, path in sources.items():
        omitted |= omitted_zeros(prefix, (folder / path).read_text())
    files = (
        f"gateway-api@{GATEWAY_VERSION}/applyconfiguration/internal/internal.go",
        f"client-go@{VERSION}/applyconfigurations/internal/internal.go",
    )
    schemas = [(folder / file).read_text() for file in files]
    text = json.dumps(compact(schemas, omitted), separators=(",", ":"))
    sys.stdout.write(text.replace('},"io.k8s', '},\n"io.k8s') + "\n")


if __name__ == "__main__":
    main()
