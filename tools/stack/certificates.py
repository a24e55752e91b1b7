"""Keys of one control plane: an authority, a certificate for 127.0.0.1, the key of service accounts."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from holdpoint.ledger.files import write_new

LIFE = timedelta(days=365)
EARLIER = timedelta(minutes=10)
"""A clock that a fault test set back still finds the certificate valid."""


def make_certificates(folder: Path) -> None:
    """Write ca.crt, server.crt and server.key, unless they are there."""
    if (folder / "server.crt").exists():
        return
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = _name("holdpoint-stack")
    root = _builder(name, name, authority.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    root = root.add_extension(_usage(signs_certificates=True), True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), False)
    issued = _builder(_name("kube-apiserver"), name, key.public_key())
    issued = issued.add_extension(x509.BasicConstraints(False, None), True)
    issued = issued.add_extension(_usage(signs_certificates=False), True)
    issued = issued.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False
    )
    hosts = [
        x509.DNSName("localhost"),
        x509.DNSName("kubernetes.default.svc"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    issued = issued.add_extension(x509.SubjectAlternativeName(hosts), False)
    write_new(folder / "ca.crt", _pem(root.sign(authority, hashes.SHA256())))
    write_new(folder / "server.key", _private(key))
    write_new(folder / "server.crt", _pem(issued.sign(authority, hashes.SHA256())))


def make_account_keys(folder: Path) -> None:
    """Write accounts.key and accounts.pub, which sign and check service account tokens."""
    if (folder / "accounts.pub").exists():
        return
    key = rsa.generate_private_key(65537, 2048)
    write_new(folder / "accounts.key", _private(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_new(folder / "accounts.pub", public)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - EARLIER,
        not_valid_after=now + LIFE,
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
