"""An admission webhook that refuses, on HTTPS of its own, and how a cluster is told of it."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAME = "owner.holdpoint.dev"


class Webhook:
    """A webhook that refuses every object with `status`, and remembers what it was asked."""

    def __init__(self, server: ThreadingHTTPServer, certificate: str) -> None:
        self._server = server
        self.certificate = certificate
        self.status: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.thread = threading.Thread(target=server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        """Refuse connections from now on; the port is free."""
        if self.thread.is_alive():
            self._server.shutdown()
            self.thread.join()
            self._server.server_close()

    def configuration(self, namespace: str, *, side_effects: str = "None") -> dict[str, Any]:
        """Return what has the API server ask this webhook for the ConfigMaps of a namespace."""
        hook = {
            "name": NAME,
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._server.server_port}/",
                "caBundle": base64.b64encode(self.certificate.encode()).decode(),
            },
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE", "DELETE"],
                    "resources": ["configmaps"],
                }
            ],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            # So that the cluster's own ConfigMap of a new namespace does not meet it.
            "objectSelector": {"matchLabels": {"guarded": "yes"}},
            "failurePolicy": "Fail",
            "sideEffects": side_effects,
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": namespace},
            "webhooks": [hook],
        }


@contextmanager
def refusing_webhook(folder: Path) -> Iterator[Webhook]:
    """Run a webhook; its key and certificate lie in the folder."""
    certificate = _certified(folder / "webhook.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "webhook.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    webhook = Webhook(server, certificate)
    _Handler.webhooks[server.server_port] = webhook
    try:
        yield webhook
    finally:
        webhook.stop()
        del _Handler.webhooks[server.server_port]


class _Handler(BaseHTTPRequestHandler):
    webhooks: dict[int, Webhook] = {}

    def do_POST(self) -> None:
        """Refuse one object."""
        assert isinstance(self.server, ThreadingHTTPServer)
        webhook = self.webhooks[self.server.server_port]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        webhook.asked.append(request)
        response = {"uid": request["uid"], "allowed": False, "status": webhook.status}
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        sent = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _certified(file: Path) -> str:
    """Write a key with its own certificate for 127.0.0.1 and return the certificate as text."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(Encoding.PEM)
    file.write_bytes(text + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return text.decode()
