"""Keys and signatures of the two merchants that the simulator serves.

MD5 for epay, RSA2 for Alipay; keys are random, made once in the home and kept.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"


def make_secret(length: int = 32) -> str:
    """Return a random key as payment platforms hand them out."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def make_digits(count: int) -> str:
    """Return random digits."""
    return "".join(secrets.choice("0123456789") for _ in range(count))


def make_private_key() -> str:
    """Return a new RSA key of 2048 bits, base64 of PKCS#8."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


def load_key(text: str) -> rsa.RSAPrivateKey:
    """Load what `make_private_key` made; unchecked, because a check takes a tenth of a second."""
    key = load_der_private_key(
        base64.b64decode(text), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


def publish_key(key: rsa.RSAPrivateKey) -> str:
    """Return the public half, base64 of its DER form."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def sign_epay(fields: Mapping[str, str], key: str) -> str:
    """Return epay's MD5 signature."""
    text = "&".join(
        f"{name}={fields[name]}"
        for name in sorted(fields)
        if name not in ("sign", "sign_type") and fields[name] != ""
    )
    return hashlib.md5((text + key).encode(), usedforsecurity=False).hexdigest()


def sign_rsa(text: str, key: rsa.RSAPrivateKey) -> str:
    """Return an RSA2 signature in base64."""
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


def verify_rsa(text: str, *, signature: str, key: rsa.RSAPublicKey) -> bool:
    """Verify an RSA2 signature in base64."""
    try:
        key.verify(base64.b64decode(signature), text.encode(), padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def join_sorted(fields: Mapping[str, str], *, without: tuple[str, ...]) -> str:
    """Return the sorted `k=v` text that an Alipay signature covers."""
    kept = {k: v for k, v in fields.items() if v != "" and k not in without}
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept))
