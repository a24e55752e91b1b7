"""The stack's API server as its administrator has it: namespaces, rights and tokens for a test."""

import ssl
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from holdpoint.models.settings import ClusterSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "kubernetes"
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "Role": "roles",
    "Deployment": "deployments",
    "Service": "services",
    "CustomResourceDefinition": "customresourcedefinitions",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "HTTPRoute": "httproutes",
}
CLUSTER_WIDE = (
    "Namespace",
    "ClusterRole",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
)


class Admin:
    """May do everything."""

    def __init__(self, cluster: Mapping[str, str]) -> None:
        """Take what `stack.json` says of the cluster."""
        self.address = cluster["server"]
        self.ca = Path(cluster["ca_file"])
        token = Path(cluster["admin_token_file"]).read_text()
        self.http = httpx.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
            verify=ssl.create_default_context(cafile=str(self.ca)),
        )

    def path(self, body: dict[str, Any], namespace: str = "") -> str:
        """Return the path of an object."""
        root = "/api/v1" if body["apiVersion"] == "v1" else f"/apis/{body['apiVersion']}"
        where = body["metadata"].get("namespace") or namespace
        inside = "" if body["kind"] in CLUSTER_WIDE else f"/namespaces/{where}"
        return f"{root}{inside}/{PLURALS[body['kind']]}/{body['metadata']['name']}"

    def apply(self, body: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        """Have an object as stated."""
        answer = self.http.patch(
            self.path(body, namespace),
            json=body,
            params={"fieldManager": "admin", "force": "true"},
            headers={"Content-Type": APPLY},
        )
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    def apply_file(self, path: Path, namespace: str = "") -> list[dict[str, Any]]:
        """Apply every document of a shipped file."""
        bodies = [body for body in yaml.safe_load_all(path.read_text()) if body]
        return [self.apply(body, namespace) for body in bodies]

    def namespace(self, name: str = "") -> str:
        """Return a namespace that is there."""
        name = name or f"t-{uuid.uuid4().hex[:8]}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        assert self.http.delete(path).status_code in (200, 202, 404)

    def token(self, account: str, namespace: str = "holdpoint") -> str:
        """Return a token of a service account."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = self.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["status"]["token"])

    def install_rights(self, namespace: str) -> None:
        """Give both identities exactly what is shipped, in one namespace."""
        self.namespace("holdpoint")
        for name in ("rbac-forward.yaml", "rbac-undo.yaml"):
            self.apply_file(DEPLOY / name)
        self.apply_file(DEPLOY / "access.yaml", namespace)

    def until_allowed(
        self, identity: str, verb: str, namespace: str, *, allowed: bool, groups: tuple[str, ...] = ()
    ) -> None:
        """Return when the authorizer has seen a change of rights; it follows by a watch of its own.

        `identity` is one of ours, or with `groups` a person.
        """
        user = identity if groups else f"system:serviceaccount:holdpoint:holdpoint-{identity}"
        what = {"verb": verb, "group": "apps", "resource": "deployments", "namespace": namespace}
        spec = {"user": user, "groups": list(groups), "resourceAttributes": what}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        for _ in range(200):
            answer = self.http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=body)
            if answer.json()["status"]["allowed"] is allowed:
                return
            time.sleep(0.02)  # RBAC is cached in the API server, which tells nobody when it has reloaded
        raise AssertionError(f"{identity} is still {'not ' if allowed else ''}allowed to {verb}")

    def until_served(self, path: str) -> None:
        """Return when a new kind is served; the API server takes a moment to say so."""
        for _ in range(200):
            if self.http.get(path).status_code == 200:
                return
            time.sleep(0.05)  # a new kind is served a moment after it is established; only asking shows it
        raise AssertionError(f"{path} is not served")

    def settings(self, folder: Path, **fields: Any) -> ClusterSettings:
        """Return the settings of a cluster whose identities are the two shipped service accounts."""
        for identity in ("forward", "undo"):
            (folder / f"{identity}.token").write_text(self.token(f"holdpoint-{identity}"))
        values = {
            "server": self.address,
            "ca_file": self.ca,
            "forward_token_file": folder / "forward.token",
            "undo_token_file": folder / "undo.token",
            "prometheus": "http://127.0.0.1:9",
        }
        return ClusterSettings.model_validate({**values, **fields})
