"""What the composition roots know: pure values; only the roots read them from files and the environment."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's own token and the CA of its API server."""

IN_CLUSTER = "https://kubernetes.default.svc"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
WAYS = "Choose one: `server` with token files, `kubeconfig` with contexts, or `in_cluster`."


def check_server(address: str) -> str:
    """Return `address` if it may be sent a token. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://eu-1.example:6443")
    if parts.username or parts.password or parts.query:
        raise ValueError("must not hold credentials: name a token file or a kubeconfig instead")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be https: a token would be readable on the way")
    return address


class ClusterSettings(StrictModel):
    """One cluster by name, with two identities: `forward` makes changes, `undo` rolls back and fences.

    Credentials are files, read again when they change; they never leave the client.
    """

    prometheus: str = Field(description="the Prometheus-compatible API with the metrics of what runs here")
    server: Annotated[str, AfterValidator(check_server)] | None = Field(
        default=None, description="the API server's address; with it, a token file for each identity"
    )
    ca_file: Path | None = Field(default=None, description="what signs the server's certificate")
    forward_token_file: Path | None = None
    undo_token_file: Path | None = None
    kubeconfig: Path | None = Field(default=None, description="with it, a context for each identity")
    undo_kubeconfig: Path | None = Field(default=None, description="where undo has a file of its own")
    forward_context: str | None = None
    undo_context: str | None = None
    in_cluster: bool = Field(
        default=False, description="the cluster that this process runs in; forward is the pod's own identity"
    )
    same_identity: bool = Field(
        default=False, description="say so where one identity is meant to do both; a warning stays"
    )
    admission_policy: bool = Field(
        default=False, description="deploy/kubernetes/admission is installed: a freeze also denies creates"
    )

    @model_validator(mode="after")
    def _one_whole_way(self) -> "ClusterSettings":
        given = [name for name in ("server", "kubeconfig", "in_cluster") if getattr(self, name)]
        if len(given) != 1:
            found = f"{' and '.join(given)} are both set" if given else "no way to reach it is set"
            raise ValueError(f"{found}. {WAYS}")
        if self.kubeconfig:
            _need(self, given[0], "forward_context", "undo_context")
            _refuse(self, given[0], "ca_file", "forward_token_file", "undo_token_file")
        else:
            _need(self, given[0], *(("forward_token_file",) if self.server else ()), "undo_token_file")
            _refuse(self, given[0], "undo_kubeconfig", "forward_context", "undo_context")
        if self.one_identity and not self.same_identity:
            raise ValueError(
                "forward and undo are one identity, so taking away its permission would also stop rollbacks. "
                "Give undo its own, or set same_identity: true"
            )
        return self

    @property
    def one_identity(self) -> bool:
        """Tell whether both identities are the same credentials, as far as the settings show."""
        if self.kubeconfig:
            same_file = self.undo_kubeconfig in (None, self.kubeconfig)
            return same_file and self.forward_context == self.undo_context
        return self.token_file("forward") == self.token_file("undo")

    @property
    def address(self) -> str:
        """Return the API server's address, where no kubeconfig has it."""
        return self.server or IN_CLUSTER

    @property
    def trusted_ca(self) -> Path | None:
        """Return the CA file; in the cluster it is the pod's."""
        return self.ca_file or (POD / "ca.crt" if self.in_cluster else None)

    def token_file(self, identity: str) -> Path:
        """Return an identity's token file; in the cluster forward's is the pod's."""
        file = self.forward_token_file if identity == "forward" else self.undo_token_file
        return file or POD / "token"


def _need(settings: ClusterSettings, way: str, *fields: str) -> None:
    missing = [name for name in fields if not getattr(settings, name)]
    if missing:
        raise ValueError(f"{missing[0]} is missing: `{way}` needs it, for no identity is assumed")


def _refuse(settings: ClusterSettings, way: str, *fields: str) -> None:
    extra = [name for name in fields if getattr(settings, name)]
    if extra:
        raise ValueError(f"{extra[0]} has no meaning with `{way}`. {WAYS}")


class Settings(StrictModel):
    """One installation: `<data>/settings.yaml`, each field also as HOLDPOINT_<FIELD>."""

    data: Path
    ledger_url: str = Field(description="SQLAlchemy URL, such as sqlite:////srv/holdpoint/ledger.db")
    ledger_password_file: Path | None = Field(
        default=None, description="PostgreSQL's password, read again for each new connection"
    )
    temporal_address: str
    temporal_namespace: str = "holdpoint"
    opa_url: str
    opa_token_file: Path
    environments: list[str] = ["staging", "production"]
    clusters: dict[str, ClusterSettings]
    local_repositories: bool = Field(
        default=False, description="accept repositories by local path; true in the embedded stack only"
    )
    embedded: bool = False

    def warnings(self) -> list[str]:
        """Return what is allowed but weaker than it could be, a sentence each; the roots log them."""
        return [
            f"Cluster {name} has one identity for forward and undo: a freeze cannot take the permission of "
            "the one and leave that of the other, and the cluster's audit log cannot tell them apart."
            for name, cluster in sorted(self.clusters.items())
            if cluster.one_identity
        ]
