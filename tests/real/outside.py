"""What a stranger sees of an installation: the cluster, its own log, the record, the ledger's targets."""

from pathlib import Path

import httpx
import psycopg

from holdpoint.ledger.kube_audit import read_logs
from holdpoint.ledger.reconcile import Bounds, Reconciled, reconcile
from holdpoint.ledger.told import parse_record
from holdpoint.ledger.verify import verify_file
from tests.real.database import Database
from tests.real.kubernetes_admin import Admin

USERS = (
    "system:serviceaccount:holdpoint:holdpoint-forward",
    "system:serviceaccount:holdpoint:holdpoint-undo",
)


class Outside:
    """Looks at one installation; `record` is where its API exports the record."""

    def __init__(
        self, *, folder: Path, admin: Admin, namespace: str, database: Database, audit_log: Path
    ) -> None:
        self.folder, self.admin, self.namespace = folder, admin, namespace
        self.database, self.audit_log = database, audit_log
        self._audit_begins = audit_log.stat().st_size
        self._http = httpx.Client(trust_env=False, timeout=60)
        self.api = ""
        self.auditor = ""
        self.public_key = folder / "data" / "keys" / "ledger.pub"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self.admin.http.close()

    def images(self, service: str) -> list[str]:
        """Return the images of the cluster's Deployments of a service, its canary too."""
        found = self.admin.http.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments").json()["items"]
        return sorted(
            item["spec"]["template"]["spec"]["containers"][0]["image"]
            for item in found
            if item["metadata"]["name"].startswith(service)
        )

    def get(self, path: str) -> bytes:
        """Return a file of the API, as the auditor gets it."""
        answer = self._http.get(f"{self.api}/v1{path}", headers={"Authorization": f"Bearer {self.auditor}"})
        assert answer.is_success, answer.text
        return answer.content

    def log_copy(self) -> Path:
        """Return a copy of the API server's audit log since this installation began."""
        copy = self.folder / "audit.log"
        with self.audit_log.open("rb") as log:
            log.seek(self._audit_begins)
            copy.write_bytes(log.read())
        return copy

    def reconciled(self) -> Reconciled:
        """Hold the API server's own log against the record, which must verify."""
        log, record = self.log_copy(), self.get("/audit/export")
        assert verify_file(record, self.public_key.read_bytes()) == []
        return reconcile(read_logs([log]), parse_record(record), Bounds(users=USERS))

    def dirty_targets(self) -> list[str]:
        """Return the targets that the ledger calls dirty."""
        with psycopg.connect(self.database.owner_url) as db:
            return [str(row[0]) for row in db.execute("SELECT target FROM targets WHERE dirty").fetchall()]
