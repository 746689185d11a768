"""The signatures and ciphers of WeChat Pay API v3. Pure.

Requests carry WECHATPAY2-SHA256-RSA2048 over method, address, time, nonce and body; answers and
callbacks carry the platform's over time, nonce and raw body. Resources are sealed with AES-256-GCM
under the API v3 key, sensitive fields with RSA-OAEP under the platform's key.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
)

SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
MIN_KEY_BITS: Final = 2048
MAX_SKEW: Final = dt.timedelta(minutes=5)
PROBE_PREFIX: Final = "WECHATPAY/SIGNTEST/"
BAD_KEY: Final = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformKey:
    """A key of the platform under the name by which `Wechatpay-Serial` calls it.

    `valid_until` is None for a public key: it has no end of its own.
    """

    serial: str
    key: rsa.RSAPublicKey = field(repr=False)
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None

    def is_valid(self, now: dt.datetime) -> bool:
        """Tell whether a signature under this key counts now."""
        begun = self.valid_from is None or self.valid_from - MAX_SKEW <= now
        return begun and (self.valid_until is None or now < self.valid_until)


class SignatureFault(Exception):
    """Why signed headers prove nothing; `code` is stable."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHeaders:
    """The four headers of a signed answer or callback."""

    serial: str
    timestamp: str
    nonce: str
    signature: str


def decode_base64(text: str) -> bytes:
    """Decode base64 strictly; raise ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("no base64") from None


@lru_cache(maxsize=64)
def load_private_key(text: str) -> rsa.RSAPrivateKey:
    """Load a private key, PKCS#8 or PKCS#1; raise ValueError. Remembered: it takes milliseconds."""
    key = load_der_private_key(decode_base64(text), password=None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    return key


@lru_cache(maxsize=64)
def load_public_key(text: str) -> rsa.RSAPublicKey:
    """Load a public key; raise ValueError."""
    key = load_der_public_key(decode_base64(text))
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    return key


def sign_text(text: str, private_key: str) -> str:
    """Return the SHA256-RSA2048 signature of a text in base64."""
    key = load_private_key(private_key)
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


def has_valid_signature(message: bytes, *, signature: str, key: rsa.RSAPublicKey) -> bool:
    """Verify a SHA256-RSA2048 signature in base64."""
    try:
        key.verify(decode_base64(signature), message, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def join_request(*, method: str, url: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the text that a request's signature covers; of the address only path and query."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n{body.decode()}\n"


def read_headers(headers: Mapping[str, str]) -> SignedHeaders:
    """Return the signed headers, by whatever case; raise SignatureFault when one is missing."""
    found = {name.lower(): value for name, value in headers.items()}
    values = {
        name: found.get(f"wechatpay-{name}", "")
        for name in ("serial", "timestamp", "nonce", "signature")
    }
    for name, value in values.items():
        if not value:
            raise SignatureFault(f"missing_{name}")
    kind = found.get("wechatpay-signature-type", "")
    if kind not in {"", SCHEME}:
        raise SignatureFault("bad_signature_type")
    if not all(value.isascii() and value.isprintable() for value in values.values()):
        raise SignatureFault("malformed")
    if len(values["nonce"]) > 64 or len(values["serial"]) > 96 or len(values["signature"]) > 2048:
        raise SignatureFault("malformed")
    # WeChat sends some of these on purpose, to see who verifies.
    if values["signature"].startswith(PROBE_PREFIX):
        raise SignatureFault("signature_probe")
    return SignedHeaders(**values)


def verify_signed(
    signed: SignedHeaders, body: bytes, *, keys: Mapping[str, PlatformKey], now: dt.datetime
) -> None:
    """Verify time, key and signature of a raw body; raise SignatureFault.

    `unknown_serial` alone says that another key may be needed.
    """
    digits = signed.timestamp
    if not digits.isdigit() or len(digits) > 12:
        raise SignatureFault("bad_timestamp")
    if abs(now.timestamp() - int(digits)) > MAX_SKEW.total_seconds():
        raise SignatureFault("stale_timestamp")
    key = keys.get(signed.serial)
    if key is None or not key.is_valid(now):
        raise SignatureFault("unknown_serial")
    message = f"{signed.timestamp}\n{signed.nonce}\n".encode() + body + b"\n"
    if not has_valid_signature(message, signature=signed.signature, key=key.key):
        raise SignatureFault("bad_signature")


def open_sealed(api_v3_key: str, *, nonce: str, associated: str, ciphertext: str) -> bytes:
    """Open an AEAD_AES_256_GCM resource; raise ValueError."""
    sealed = decode_base64(ciphertext)
    try:
        return AESGCM(api_v3_key.encode()).decrypt(nonce.encode(), sealed, associated.encode())
    except (InvalidTag, ValueError, OverflowError):
        raise ValueError("sealed under another key") from None


def encrypt_for(key: rsa.RSAPublicKey, text: str) -> str:
    """Encrypt a sensitive field for the platform (RSA-OAEP, SHA-1, as documented); base64."""
    oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
    return base64.b64encode(key.encrypt(text.encode(), oaep)).decode()
