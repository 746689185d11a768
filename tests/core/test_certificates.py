"""One look at a certificate: good, another's, expired, of nobody known, none at all."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kameng.core import certificates
from kameng.core.certificates import Shown, look_at
from tests.ports import free_port

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def make_certificate(folder: Path, host: str, *, ends_at: dt.datetime) -> Path:
    """Write a certificate that is its own authority, with its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=30))
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextmanager
def serve(certificate: Path | None) -> Iterator[int]:
    """Shake one hand after another; without a certificate close the connection instead."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate is not None:
            context.load_cert_chain(certificate)
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            try:
                if certificate is not None:
                    context.wrap_socket(peer, server_side=True).close()
            except OSError:
                pass
            finally:
                peer.close()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("shown_for", "ends_in_days", "is_known", "fault"),
    [
        ("shop.com", 60, True, ""),
        ("other.com", 60, True, "wrong_name"),
        ("shop.com", -1, True, "expired"),
        ("shop.com", 60, False, "untrusted"),
    ],
)
def test_a_certificate_is_looked_at(
    tmp_path: Path, shown_for: str, ends_in_days: int, is_known: object, fault: str
) -> None:
    ends_at = NOW + dt.timedelta(days=ends_in_days)
    certificate = make_certificate(tmp_path, shown_for, ends_at=ends_at)
    with serve(certificate) as port:
        ca_file = str(certificate) if is_known else ""
        shown = look_at("shop.com", address="127.0.0.1", port=port, ca_file=ca_file)

    assert shown == Shown(ends_at=None if fault else ends_at, fault=fault)


def test_who_shows_none_or_is_not_there_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(None) as port:
        refused = look_at("shop.com", address="127.0.0.1", port=port)
    nobody = look_at("shop.com", address="127.0.0.1", port=free_port())

    assert (refused.fault, nobody.fault) == ("refused", "unreachable")
    monkeypatch.setattr(certificates, "HANDSHAKE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waited = look_at("shop.com", address="127.0.0.1", port=silent.getsockname()[1])
    assert waited.fault == "unreachable"
