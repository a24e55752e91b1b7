"""What the composition roots know: pure values; only the roots read them from files and the environment."""

from pathlib import Path

from pydantic import Field

from holdpoint.models.base import StrictModel


class ClusterSettings(StrictModel):
    """One cluster by name. Tokens are files, read again when they change; they never leave the client."""

    server: str
    prometheus: str
    forward_token_file: Path
    undo_token_file: Path
    ca_file: Path | None = None


class Settings(StrictModel):
    """One installation: `<data>/settings.yaml`, each field also as HOLDPOINT_<FIELD>."""

    data: Path
    ledger_url: str = Field(description="SQLAlchemy URL, such as sqlite:////srv/holdpoint/ledger.db")
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
