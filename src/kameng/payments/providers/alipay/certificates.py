"""Alipay's certificates (公钥证书模式): their serial numbers, and the chain up to the root.

Pure. The number of a certificate is the MD5 of its issuer (RFC 4514) and its decimal serial; that
of the root file joins the numbers of its RSA certificates. Promises that a certificate is trusted
only by a chain of issuers that may issue, up to one of the configured roots.
"""

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    ExtensionNotFound,
    Name,
    NameOID,
    load_der_x509_certificate,
)

MAX_CERTIFICATES: Final = 8
RSA_SIGNATURES: Final = "1.2.840.113549.1.1."
MIN_KEY_BITS: Final = 2048

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def clean_pem(text: str) -> str:
    """Return the certificates of a pasted text, one clean PEM block each; empty if there is none.

    Line ends are lost when a file goes through a form or a chat.
    """
    blocks = ["".join(block.split()) for block in _BLOCK.findall(text)]
    return "\n".join(
        "\n".join(["-----BEGIN CERTIFICATE-----", *_wrap(block), "-----END CERTIFICATE-----"])
        for block in blocks
    )


def _wrap(text: str) -> list[str]:
    return [text[i : i + 64] for i in range(0, len(text), 64)]


@lru_cache(maxsize=64)
def read_certificates(text: str) -> tuple[Certificate, ...]:
    """Read every certificate of a PEM text; raise ValueError if there is none, or too many."""
    blocks = _BLOCK.findall(text)
    if not 1 <= len(blocks) <= MAX_CERTIFICATES:
        raise ValueError("no certificate")
    try:
        return tuple(
            load_der_x509_certificate(base64.b64decode("".join(block.split()), validate=True))
            for block in blocks
        )
    except binascii.Error:
        raise ValueError("no base64") from None


def number_certificate(certificate: Certificate) -> str:
    """Return Alipay's serial number (SN) of a certificate."""
    return make_sn(certificate.issuer, certificate.serial_number)


def make_sn(issuer: Name, serial: int) -> str:
    """Return the MD5 of issuer and serial: a name for a certificate, not a protection."""
    text = f"{issuer.rfc4514_string()}{serial}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=64)
def number_roots(text: str) -> str:
    """Return the SN of a root file: those of its RSA certificates, joined; others do not count."""
    return "_".join(
        number_certificate(root)
        for root in read_certificates(text)
        if root.signature_algorithm_oid.dotted_string.startswith(RSA_SIGNATURES)
    )


@lru_cache(maxsize=64)
def number_first(text: str) -> str:
    """Return the SN of the first certificate of a text: the one that is meant."""
    return number_certificate(read_certificates(text)[0])


def read_rsa_key(certificate: Certificate) -> rsa.RSAPublicKey:
    """Return a certificate's key; raise ValueError unless it is RSA of 2048 bits or more."""
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        raise ValueError("unsupported key") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    return key


def publish_key(certificate: Certificate) -> str:
    """Return a certificate's RSA key, base64 of its DER form; raise ValueError."""
    der = read_rsa_key(certificate).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def is_trusted(chain: Sequence[Certificate], *, roots: Sequence[Certificate]) -> bool:
    """Tell whether the first certificate leads to a root, by way of the others."""
    current, others = chain[0], list(chain[1:])
    for _ in range(len(chain)):
        if any(_is_issued(current, by=root) for root in roots):
            return True
        issuer = next(
            (each for each in others if is_authority(each) and _is_issued(current, by=each)), None
        )
        if issuer is None:
            return False
        others.remove(issuer)
        current = issuer
    return False


def is_valid_at(certificate: Certificate, moment: dt.datetime) -> bool:
    """Tell whether a moment lies within a certificate's time."""
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def is_same_owner(certificate: Certificate, other: Certificate) -> bool:
    """Tell whether two certificates were issued by one authority to one organisation.

    The authority of Alipay also issues the certificates of apps: the chain alone does not say whose
    word a certificate stands for.
    """
    return certificate.issuer == other.issuer and _organisation(certificate) == _organisation(other)


def _organisation(certificate: Certificate) -> list[str]:
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return [str(each.value) for each in names]


def is_authority(certificate: Certificate) -> bool:
    """Tell whether a certificate may issue others."""
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except (ExtensionNotFound, ValueError):
        return False


def is_root(certificate: Certificate) -> bool:
    """Tell whether a certificate may stand in a root file: it may issue, or issued itself."""
    return is_authority(certificate) or certificate.issuer == certificate.subject


def _is_issued(certificate: Certificate, *, by: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
