"""A control plane without containers: etcd, API server, controllers, scheduler, KWOK in place of kubelets."""

import secrets
from pathlib import Path
from typing import Any

from holdpoint.embedded.server import Server, http_ready
from holdpoint.ledger.files import replace
from tools.stack import cluster_contents
from tools.stack.certificates import make_account_keys, make_certificates
from tools.stack.parts import binary
from tools.stack.place import Piece, Place, https_ready, secret_file, write_json

PORTS = ("etcd", "etcd-peers", "apiserver", "controllers", "scheduler", "kwok")

USERS = {
    "admin": "system:masters",
    "holdpoint-forward": "",
    "holdpoint-undo": "",
    "stranger": "",
    "kube-controllers": "system:masters",
    "kube-scheduler": "system:masters",
    "kwok": "system:masters",
    "workload": "system:masters",
}
"""User and group. Ours and the stranger may do nothing until a test binds a role to them."""

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Request", "users": ["holdpoint-forward", "holdpoint-undo", "stranger"]},
        {"level": "Metadata"},
    ],
}
"""Every mutating request, dry runs included (its requestURI tells). Ours come with what they sent."""

CLIENT_LIMITS = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""The defaults (20 a second) would make the cluster, not the change, what a test waits for."""


def kubernetes(place: Place) -> Piece:
    """Return the control plane of a stack."""
    home = place.path("kubernetes", "x").parent
    make_certificates(home)
    make_account_keys(home)
    tokens = {user: _token(place, user) for user in USERS}
    rows = [f'{tokens[user]},{user},{user},"{group}"' for user, group in USERS.items()]
    replace(home / "tokens.csv", "\n".join(rows).encode())
    write_json(home / "audit-policy.yaml", AUDIT_POLICY)
    for user in USERS:
        write_json(kubeconfig(place, user), _kubeconfig(place, tokens[user]))

    async def fill() -> None:
        await cluster_contents.fill(address(place), home / "ca.crt", tokens["admin"])

    return Piece(
        servers=[_etcd(place), _apiserver(place, home), *_controllers(place, home), _kwok(place)],
        prepare={"apiserver": fill},
        addresses={
            "kubernetes": {
                "server": address(place),
                "ca_file": str(home / "ca.crt"),
                **{f"{name}_token_file": str(token_file(place, user)) for name, user in _SHOWN.items()},
                "kubeconfig": str(kubeconfig(place, "admin")),
                "audit_log": str(home / "audit.log"),
            }
        },
    )


_SHOWN = {
    "admin": "admin",
    "forward": "holdpoint-forward",
    "undo": "holdpoint-undo",
    "stranger": "stranger",
}


def address(place: Place) -> str:
    """Return the API server's address."""
    return f"https://127.0.0.1:{place.ports['apiserver']}"


def token_file(place: Place, user: str) -> Path:
    """Return the file with a user's token."""
    return place.path("kubernetes", "tokens", f"{user}.token")


def kubeconfig(place: Place, user: str) -> Path:
    """Return the file with which a client is this user."""
    return place.path("kubernetes", "clients", f"{user}.kubeconfig")


def _token(place: Place, user: str) -> str:
    return secret_file(token_file(place, user), lambda: secrets.token_urlsafe(32))


def _kubeconfig(place: Place, token: str) -> dict[str, Any]:
    cluster = {
        "server": address(place),
        "certificate-authority": str(place.path("kubernetes", "ca.crt")),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stack",
        "clusters": [{"name": "stack", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "stack", "context": {"cluster": "stack", "user": "user"}}],
    }


def _etcd(place: Place) -> Server:
    client, peer = place.url("etcd"), place.url("etcd-peers")
    options = {
        "data-dir": str(place.path("kubernetes", "etcd")),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "log-level": "warn",
    }
    command = [str(binary("etcd")), "--unsafe-no-fsync", *_flags(options)]
    return Server("etcd", command, http_ready(f"{client}/health"))


def _apiserver(place: Place, home: Path) -> Server:
    options = {
        "etcd-servers": place.url("etcd"),
        "bind-address": "127.0.0.1",
        "secure-port": str(place.ports["apiserver"]),
        "cert-dir": str(home),
        "tls-cert-file": str(home / "server.crt"),
        "tls-private-key-file": str(home / "server.key"),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(home / "accounts.pub"),
        "service-account-signing-key-file": str(home / "accounts.key"),
        "service-cluster-ip-range": "10.0.0.0/16",
        "endpoint-reconciler-type": "none",
        "token-auth-file": str(home / "tokens.csv"),
        "authorization-mode": "RBAC",
        # Pods run nothing, so that none asks for a token of its service account.
        "disable-admission-plugins": "ServiceAccount",
        "audit-policy-file": str(home / "audit-policy.yaml"),
        "audit-log-path": str(home / "audit.log"),
        "audit-log-maxsize": "4096",
    }
    return Server(
        "apiserver",
        [str(binary("kube-apiserver")), *_flags(options)],
        https_ready(f"{address(place)}/readyz", home / "ca.crt"),
        after=("etcd",),
    )


def _controllers(place: Place, home: Path) -> list[Server]:
    def server(name: str, program: str, user: str, *options: str) -> Server:
        command = [
            str(binary(program)),
            f"--kubeconfig={kubeconfig(place, user)}",
            "--bind-address=127.0.0.1",
            f"--secure-port={place.ports[name]}",
            f"--tls-cert-file={home / 'server.crt'}",
            f"--tls-private-key-file={home / 'server.key'}",
            "--leader-elect=false",
            *CLIENT_LIMITS,
            *options,
        ]
        url = f"https://127.0.0.1:{place.ports[name]}/healthz"
        return Server(name, command, https_ready(url, home / "ca.crt"), after=("apiserver",))

    return [
        server(
            "controllers",
            "kube-controller-manager",
            "kube-controllers",
            f"--service-account-private-key-file={home / 'accounts.key'}",
            "--controllers=*,-serviceaccount-token-controller,-node-ipam-controller,"
            "-cloud-node-lifecycle-controller,-node-route-controller,-service-lb-controller",
            # A machine under load delays heartbeats; no test is about nodes that are lost.
            "--node-monitor-grace-period=30m",
        ),
        server("scheduler", "kube-scheduler", "kube-scheduler"),
    ]


def _kwok(place: Place) -> Server:
    return Server(
        "kwok",
        [
            str(binary("kwok")),
            f"--kubeconfig={kubeconfig(place, 'kwok')}",
            "--manage-all-nodes=true",
            "--enable-crds=Stage",
            f"--server-address=127.0.0.1:{place.ports['kwok']}",
        ],
        http_ready(f"{place.url('kwok')}/healthz"),
        after=("apiserver",),
    )


def _flags(options: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]
