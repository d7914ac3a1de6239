"""The cluster's certificate authority and what it signs.

Names and groups in the certificates are what Kubernetes' built-in RBAC rules speak of,
so that no program of the cluster has more rights than it would have elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Pair:
    """Paths of a certificate (or public key) and of its private key (PEM)."""

    certificate: Path
    key: Path

    def exists(self) -> bool:
        return self.certificate.exists() and self.key.exists()


@dataclass(frozen=True)
class Authority(Pair):
    """The pair that signs all others, in a folder with them."""

    folder: Path

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> Pair:
        """A client certificate for `user`, made unless it is there."""
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._signed(name, _subject(user, groups), [usage])

    def server(self, name: str, hosts: Sequence[str], addresses: Sequence[IPv4Address]) -> Pair:
        """A server certificate for these names and addresses, made unless it is there."""
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names += [x509.IPAddress(address) for address in addresses]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._signed(name, _subject(name, ()), [usage, x509.SubjectAlternativeName(names)])

    def _signed(
        self, name: str, subject: x509.Name, extensions: Sequence[x509.ExtensionType]
    ) -> Pair:
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        if pair.exists():
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.key} is not a key of ours; run `down` and `up` again")
        builder = _builder(subject, issuer.subject, key.public_key())
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        _save(pair, builder.sign(signer, hashes.SHA256()), key)
        return pair


def authority(folder: Path) -> Authority:
    """The authority of this folder, made unless it is there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = Authority(folder / "ca.crt", folder / "ca.key", folder)
    if not found.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = _subject("martlet-e2e-ca", ())
        builder = _builder(name, name, key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        _save(found, builder.sign(key, hashes.SHA256()), key)
    return found


def service_account_keys(folder: Path) -> Pair:
    """The public key and the private key of service account tokens, made unless they are there."""
    pair = Pair(folder / "service-accounts.pub", folder / "service-accounts.key")
    if not pair.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _write(pair.key, _private(key))
        _write(pair.certificate, public)
    return pair


def _subject(user: str, groups: Sequence[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _save(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    # The certificate last: a pair is complete when it exists, also after a kill in between.
    _write(pair.key, _private(key))
    _write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    os.replace(partial, path)
