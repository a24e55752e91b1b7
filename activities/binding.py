"""Digests of what a change is, as far as approvals, earlier successes and rehearsals count for it."""

import hashlib
import json
from typing import Any

import rfc8785

from activities.commits import KIND, shape_of
from activities.masking import Fingerprint, masked
from holdpoint.models.base import Digest
from holdpoint.models.plan import PlannedStep


def plan_shape(plan: list[PlannedStep], manifests: list[dict[str, Any]]) -> str:
    """Return the digest of the plan without its artifact: step kinds, weights asked for, and objects."""
    steps = [
        {
            "kind": step.kind,
            "weights": step.config.get("weights", []),
            "deployment": step.config.get("deployment"),
            "paths": step.config.get("paths", []),
            **{
                name: step.config[name]
                for name in ("traffic", "objects", "service", "preview")
                if name in step.config
            },
            **({step.kind: step.config} if step.kind in ("job", "http") else {}),
            **({"commit": shape_of(step)} if step.kind == KIND else {}),
            **({"manual": [step.config["who"], step.config["what"]]} if step.kind == "manual" else {}),
        }
        for step in plan
    ]
    objects = sorted(f"{manifest['kind']}/{manifest['metadata']['name']}" for manifest in manifests)
    return digest({"steps": steps, "objects": objects})


def rehearsed_as(manifests: list[dict[str, Any]], shape: str, fingerprint: Fingerprint) -> Digest:
    """Return what a rehearsal is bound to: every object as it is applied, wherever that is, and the shape.

    Secrets count by a keyed digest.
    """
    objects = [masked({**one, "metadata": _nowhere(one["metadata"])}, fingerprint) for one in manifests]
    text = json.dumps([shape, objects], sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _nowhere(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name != "namespace"}


def digest(content: Any) -> str:
    """Return the digest of what is a JSON document, whatever the order of its fields."""
    return f"sha256:{hashlib.sha256(rfc8785.dumps(content)).hexdigest()}"
