"""What the composition roots know: pure values; only the roots read them from files and the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Line, Name
from holdpoint.models.durations import Duration
from holdpoint.models.git_names import check_git_host
from holdpoint.models.git_push import GitPush
from holdpoint.models.http_settings import HttpAllowed, HttpCredential, check_http
from holdpoint.models.metric_names import MetricNames
from holdpoint.models.server_addresses import check_address, check_server, check_url

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's own token and the CA of its API server."""

IN_CLUSTER = "https://kubernetes.default.svc"
TENANT = r"^[A-Za-z0-9!_.*'()|-]{1,150}$"
"""A tenant as Grafana Mimir allows it, several with `|` between: a header cannot be broken by it."""

WAYS = "Choose one: `server` with token files, `kubeconfig` with contexts, or `in_cluster`."


class JudgeSettings(StrictModel):
    """One judge of your own by name: a webhook that metrics of a change may name as their source."""

    url: Annotated[str, AfterValidator(check_url)] = Field(
        description="where it takes the questions, by POST"
    )
    token_file: Path | None = Field(
        default=None, description="a bearer token for it, read again when the file changes"
    )
    ca_file: Path | None = Field(default=None, description="what signs its certificate")
    timeout: Annotated[float, Field(ge=1, le=10)] = Field(
        default=5.0, description="seconds until it must have answered; later it is down, and the canary held"
    )

    @model_validator(mode="after")
    def _token_is_not_readable_on_the_way(self) -> "JudgeSettings":
        if self.token_file is not None:
            check_server(self.url)
        return self


class ClusterSettings(StrictModel):
    """One cluster by name, with two identities: `forward` makes changes, `undo` rolls back and fences.

    Credentials are files, read again when they change; they never leave the client.
    """

    prometheus: Annotated[str, AfterValidator(check_url)] = Field(
        description="what stands before /api/v1 where Prometheus' API has the metrics of what runs here"
    )
    prometheus_tenant: Annotated[str, Field(pattern=TENANT)] | None = Field(
        default=None, description="the tenant whose metrics are asked for, sent as X-Scope-OrgID"
    )
    prometheus_token_file: Path | None = Field(
        default=None, description="a bearer token for it, read again when the file changes"
    )
    prometheus_ca_file: Path | None = Field(default=None, description="what signs its certificate")
    metrics_lag: Annotated[float, Field(ge=0, le=120)] = Field(
        default=0.5, description="seconds after a scrape until it can be asked for everywhere"
    )
    scrape_interval: Annotated[float, Field(ge=1, le=300)] = Field(
        default=5.0,
        description="seconds between two scrapes of a pod, or of the slowest one's if they differ",
    )
    metrics: MetricNames = Field(
        default_factory=MetricNames, description="how it names what pods count, where that is not the default"
    )
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
    labels: dict[Name, Line] = Field(
        default_factory=dict,
        description="what a change's `spec.targets.selector` finds it by, such as region: eu",
    )
    admission_policy: bool = Field(
        default=False, description="deploy/kubernetes/admission is installed: a freeze also denies creates"
    )
    gitops_writes: bool = Field(
        default=False,
        description="also write to objects that Argo CD or Flux owns here; they may take it back at once",
    )

    @model_validator(mode="after")
    def _token_is_not_readable_on_the_way(self) -> "ClusterSettings":
        if self.prometheus_token_file is not None:
            check_server(self.prometheus)
        return self

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

    data: Path = Field(
        description="the folder with keys/, catalog.yaml, blobs/ and archive/; every process needs the same"
    )
    ledger_url: str = Field(description="SQLAlchemy URL, such as sqlite:////srv/holdpoint/ledger.db")
    ledger_password_file: Path | None = Field(
        default=None, description="PostgreSQL's password, read again for each new connection"
    )
    temporal_address: Annotated[str, AfterValidator(check_address)] = Field(
        description="host:port of Temporal's gRPC"
    )
    temporal_namespace: str = Field(default="holdpoint", description="where the tickets' workflows run")
    payload_keys: Path | None = Field(
        default=None,
        description="folder with a file <key ID>.key for each key that opens payloads; none: no encryption",
    )
    payload_key: str | None = Field(
        default=None, description="ID of the key that new payloads are encrypted with; none: they are plain"
    )
    codec_origins: list[str] = Field(
        default=[],
        description="origins of Temporal's page that may ask the API to decrypt, such as https://temporal.example",
    )
    build_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")] | None = Field(
        default=None, description="the worker's build ID; none: release and digest of the workflow code"
    )
    opa_url: Annotated[str, AfterValidator(check_url)] = Field(description="where OPA answers")
    opa_token_file: Path = Field(description="the bearer token for OPA; read again at every question")
    policy_revision: str | None = Field(
        default=None,
        description="the bundle revision that decisions must come from, others are held; none: any",
    )
    token_issuer: str | None = Field(
        default=None, description="the `iss` of the bearer tokens that the API takes; none: it takes none"
    )
    token_issuer_key: Path | None = Field(
        default=None, description="that issuer's Ed25519 public key (PEM); docs/operations.md has the claims"
    )
    environments: list[str] = Field(
        default=["staging", "production"], description="the environments that changes and freezes may name"
    )
    clusters: dict[str, ClusterSettings] = Field(
        description="each cluster by name; docs/operations.md has the fields of one"
    )
    judges: dict[Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")], JudgeSettings] = (
        Field(default={}, description="judges of your own by name; docs/judge.md has what they are asked")
    )
    local_repositories: bool = Field(
        default=False, description="accept repositories by local path; true in the embedded stack only"
    )
    git_hosts: list[Annotated[str, AfterValidator(check_git_host)]] | None = Field(
        default=None,
        description="the Git servers that a change may name: host, host:port or *.example.com each; none: "
        "every server whose name leads to public addresses only",
    )
    check_keys: Path | None = Field(
        default=None,
        description="folder with a public key <name>.pub (PEM) for each `key` that signature and provenance "
        "checks name; none: such checks cannot run",
    )
    check_files: Path | None = Field(
        default=None,
        description="folder with signatures, attestations and reports by image digest, for checks that name "
        "no folder of the repository",
    )
    http_allow: list[HttpAllowed] = Field(
        default=[],
        description="whom `http` steps and probes may ask; docs/operations.md has the fields of one; "
        "none: nobody",
    )
    http_credentials: dict[str, HttpCredential] = Field(
        default={}, description="what they may send to prove who they are, each by name; docs/operations.md"
    )
    git_push: list[GitPush] = Field(
        default=[],
        description="the environment repositories that `gitCommit` steps may push to; "
        "docs/operations.md has the fields of one",
    )
    kustomize: Path | None = Field(
        default=None, description="the Kustomize 5 binary that renders overlays; none: that on the PATH"
    )
    helm: Path | None = Field(
        default=None, description="the Helm 4 binary that renders charts; none: that on the PATH"
    )
    embedded: bool = Field(default=False, description="part of `holdpoint up`, which sets it; not for you")
    api_address: Annotated[str, AfterValidator(check_address)] = Field(
        default="127.0.0.1:8300", description="host:port that the API listens on"
    )
    health_address: Annotated[str, AfterValidator(check_address)] | None = Field(
        default=None,
        description="host:port where a worker answers /v1/health, /v1/ready and /metrics; none: it does not",
    )
    sdk_metrics_address: Annotated[str, AfterValidator(check_address)] | None = Field(
        default=None,
        description="host:port where a worker shows the metrics of Temporal's SDK; none: it does not",
    )
    drain: Duration = Field(
        default=20.0, description="what runs at a SIGTERM may go on for so long; then it is given up"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least severe lines that are logged"
    )
    otlp_endpoint: Annotated[str, AfterValidator(check_url)] | None = Field(
        default=None,
        description="OTLP/HTTP collector for traces, such as http://collector:4318; "
        "OTEL_EXPORTER_OTLP_ENDPOINT says the same; none: no traces",
    )

    @model_validator(mode="after")
    def _http_credentials_are_known(self) -> "Settings":
        check_http(self.http_allow, self.http_credentials)
        return self

    def warnings(self) -> list[str]:
        """Return what is allowed but weaker than it could be, a sentence each; the roots log them."""
        return [
            f"Cluster {name} has one identity for forward and undo: a freeze cannot take the permission of "
            "the one and leave that of the other, and the cluster's audit log cannot tell them apart."
            for name, cluster in sorted(self.clusters.items())
            if cluster.one_identity
        ]
