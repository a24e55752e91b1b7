"""The RBAC manifests of both identities, made from what the kinds of steps and checks declare."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from activities.checks.registry import CHECK_KINDS
from activities.steps.registry import STEP_KINDS
from activities.steps.rights import Identity, Right

API = "rbac.authorization.k8s.io/v1"
NAMESPACE = "holdpoint"
HEAD = """\
# Made by `python -m activities.steps.rbac deploy/kubernetes` from what the kinds declare. Do not edit.
# The least that the {identity} identity needs, a ClusterRole for each kind of step and check. Alone they
# allow nothing: access.yaml binds them in one namespace, with `kubectl -n NAMESPACE apply -f access.yaml`.
"""
ACCESS = """\
# Made by `python -m activities.steps.rbac deploy/kubernetes`. Do not edit.
# Lets Holdpoint work in one namespace: kubectl -n NAMESPACE apply -f access.yaml
"""


def roles(identity: Identity) -> list[dict[str, Any]]:
    """Return the identity's service account and a ClusterRole for each kind that the cluster must allow."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": f"holdpoint-{identity}", "namespace": NAMESPACE},
    }
    return [account, *(_role(identity, name, rights) for name, rights in _needs(identity))]


def bindings() -> list[dict[str, Any]]:
    """Return the RoleBindings of one namespace, which they do not name."""
    both: tuple[Identity, ...] = ("forward", "undo")
    return [_binding(identity, name) for identity in both for name, _ in _needs(identity)]


def documents() -> dict[str, str]:
    """Return each file's text by its name."""
    return {
        "rbac-forward.yaml": HEAD.format(identity="forward") + _text(roles("forward")),
        "rbac-undo.yaml": HEAD.format(identity="undo") + _text(roles("undo")),
        "access.yaml": ACCESS + _text(bindings()),
    }


def _needs(identity: Identity) -> list[tuple[str, list[Right]]]:
    """Return what each kind needs of this identity; checks read, so they need nothing of undo."""
    every = [(kind.kind, kind.rights) for kind in STEP_KINDS] + [(k.kind, k.rights) for k in CHECK_KINDS]
    mine = [(name, [right for right in rights if right.identity == identity]) for name, rights in every]
    return [(name, rights) for name, rights in mine if rights]


def _role(identity: Identity, name: str, rights: list[Right]) -> dict[str, Any]:
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for right in rights:
        rules.setdefault((right.group, right.verbs), []).append(right.resource)
    return {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": _named(identity, name)},
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
            for (group, verbs), resources in rules.items()
        ],
    }


def _binding(identity: Identity, name: str) -> dict[str, Any]:
    role = _named(identity, name)
    account = {"kind": "ServiceAccount", "name": f"holdpoint-{identity}", "namespace": NAMESPACE}
    return {
        "apiVersion": API,
        "kind": "RoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": API.partition("/")[0], "kind": "ClusterRole", "name": role},
        "subjects": [account],
    }


def _named(identity: Identity, kind: str) -> str:
    """Return the name of a role: `blueGreen` is `blue-green` in it."""
    return f"holdpoint-{identity}-{re.sub('[A-Z]', lambda found: '-' + found[0].lower(), kind)}"


def _text(documents: list[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)


def main() -> None:
    """Write the files into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, text in documents().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
