"""Certificates of UnionPay: the merchant's own key, and the chain behind UnionPay's signatures.

Pure. Promises that a certificate which came with a message is believed only when the shop's own
root and middle certificate vouch for it, all are in their time, and its owner is UnionPay.
"""

import base64
import datetime as dt
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

MIN_KEY_BITS: Final = 2048
MAX_BUNDLE: Final = 6  # certificates in one field: the present and the coming ones
OWNER: Final = "中国银联股份有限公司"
TEST_OWNER: Final = "00040000:SIGN"  # signs at *.test.95516.com only

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN ((?:ENCRYPTED |RSA )?PRIVATE KEY)-----.+?-----END \1-----",
    re.DOTALL,
)
_FAULTS = (ValueError, TypeError, UnsupportedAlgorithm)


class NoKey(ValueError):
    """A merchant certificate that cannot be read; `wrong_password`: the file may be good."""

    def __init__(self, *, wrong_password: bool = False) -> None:
        super().__init__("no merchant key")
        self.wrong_password = wrong_password


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """What signs our requests; `cert_id` is the certificate's serial number in decimal."""

    key: rsa.RSAPrivateKey = field(repr=False)
    cert_id: str
    expires_at: dt.datetime


@lru_cache(maxsize=64)
def load_merchant(text: str, password: str) -> Merchant:
    """Load a PFX file in base64, or a PEM of certificate and key; raise NoKey.

    Remembered: a PFX takes many milliseconds to open.
    """
    key, certificate = (_load_pem if "-----BEGIN" in text else _load_pfx)(text, password)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_KEY_BITS:
        raise NoKey
    public = certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise NoKey
    if public.public_numbers() != key.public_key().public_numbers():
        raise NoKey
    return Merchant(
        key=key,
        cert_id=str(certificate.serial_number),
        expires_at=certificate.not_valid_after_utc,
    )


def _load_pfx(text: str, password: str) -> tuple[object, x509.Certificate]:
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:  # no base64, or not even ASCII
        raise NoKey from None
    if raw[:1] != b"\x30":  # no DER sequence, so no PFX
        raise NoKey
    try:
        key, certificate, _rest = pkcs12.load_key_and_certificates(raw, password.encode() or None)
    except UnsupportedAlgorithm:
        raise NoKey from None
    except _FAULTS as fault:
        # A file that is none says so; whatever else goes wrong is the password's fault.
        raise NoKey(wrong_password="deserialize" not in str(fault)) from None
    if key is None or certificate is None:
        raise NoKey
    return key, certificate


def _load_pem(text: str, password: str) -> tuple[object, x509.Certificate]:
    found, certificates = _PRIVATE_KEY.search(text), _CERTIFICATE.findall(text)
    if found is None or not certificates:
        raise NoKey
    is_locked = "ENCRYPTED" in found[0]
    try:
        key = load_pem_private_key(
            found[0].encode(), password=password.encode() if is_locked and password else None
        )
        return key, x509.load_pem_x509_certificate(certificates[0].encode())
    except _FAULTS:
        raise NoKey(wrong_password=is_locked) from None


@lru_cache(maxsize=64)
def load_bundle(text: str) -> tuple[x509.Certificate, ...]:
    """Load one or a few certificates in PEM; raise ValueError."""
    found = _CERTIFICATE.findall(text)
    if not 1 <= len(found) <= MAX_BUNDLE:
        raise ValueError("no certificates")
    try:
        bundle = tuple(x509.load_pem_x509_certificate(each.encode()) for each in found)
    except _FAULTS:
        raise ValueError("no certificate") from None
    if not all(map(_is_authority, bundle)):
        raise ValueError("no authority")
    return bundle


def is_root(certificate: x509.Certificate) -> bool:
    """Say whether a certificate vouches for itself."""
    return _is_issued_by(certificate, certificate)


def is_vouched_for(certificate: x509.Certificate, roots: tuple[x509.Certificate, ...]) -> bool:
    """Say whether one of the roots signed a middle certificate."""
    return any(_is_issued_by(certificate, root) for root in roots)


def has_expired(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Say whether a certificate's time is over."""
    return now > certificate.not_valid_after_utc


def read_signer(
    text: str, *, roots: str, middles: str, owners: tuple[str, ...], now: dt.datetime
) -> rsa.RSAPublicKey | None:
    """Return the key of a certificate that came with a message, or None when it proves nothing."""
    try:
        signer, middle, root = _find_chain(text, roots, middles, owners)
    except ValueError:
        return None
    for each in (signer, middle, root):
        if not each.not_valid_before_utc <= now <= each.not_valid_after_utc:
            return None
    key = signer.public_key()
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_KEY_BITS else None


@lru_cache(maxsize=64)
def _find_chain(
    text: str, roots: str, middles: str, owners: tuple[str, ...]
) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    """Return signer, middle and root; raise ValueError. Failures are not remembered."""
    found = _CERTIFICATE.findall(text)
    if len(found) != 1 or len(text) > 16_384:
        raise ValueError("no certificate")
    try:
        signer = x509.load_pem_x509_certificate(found[0].encode())
    except _FAULTS:
        raise ValueError("no certificate") from None
    if _read_owner(signer) not in owners or _is_authority(signer):
        raise ValueError("not UnionPay's")
    for middle in load_bundle(middles):
        for root in load_bundle(roots):
            if _is_issued_by(signer, middle) and _is_issued_by(middle, root) and is_root(root):
                return signer, middle, root
    raise ValueError("no chain")


def _read_owner(certificate: x509.Certificate) -> str:
    """Return the owner's name: the third part of a common name such as 041@Z12@OWNER@00000062."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    parts = str(names[0].value).split("@") if len(names) == 1 else []
    return parts[2] if len(parts) > 2 else ""


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
