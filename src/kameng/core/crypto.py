"""Encryption at rest: AES-256-GCM with a key ring, bound to the row it belongs to.

A value is `version (1 byte) | nonce (12) | ciphertext and tag`. Associated data `site|table|row` is
authenticated with it, so a cipher text moved to another row or site does not open. Blind indexes
are keyed HMAC-SHA256, cut to 16 bytes: equal texts are found, none can be guessed without the key.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from kameng.core import keyring

NONCE_BYTES = 12
DIGEST_BYTES = 16


class CipherBroken(RuntimeError):
    """A stored value does not open: wrong key, wrong row, or damaged."""


@cache
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def ring() -> keyring.Keyring:
    """Return the key ring of this process."""
    path = settings.KEYRING_PATH
    return keyring.load(path if isinstance(path, Path) else Path(path))


def binding(site_id: int, table: str, row: int | str) -> bytes:
    """Return the associated data of a value: the place it belongs to."""
    return f"{site_id}|{table}|{row}".encode()


def encrypt(plain: bytes, aad: bytes) -> bytes:
    """Encrypt under the current key, bound to `aad`."""
    keys = ring()
    nonce = os.urandom(NONCE_BYTES)
    body = _cipher(keys.keys[keys.current]).encrypt(nonce, plain, aad)
    return bytes((keys.current % 256,)) + nonce + body


def encrypter() -> Callable[[bytes, bytes], bytes]:
    """Return `encrypt` under the key that is current now, at a quarter of the cost, for bulk."""
    keys = ring()
    version, seal = bytes((keys.current % 256,)), _cipher(keys.keys[keys.current]).encrypt

    def encrypt_one(plain: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return version + nonce + seal(nonce, plain, aad)

    return encrypt_one


def _key_of(version: int) -> bytes | None:
    """Return a key by its version; one that is not known yet may just have been added."""
    for afresh in (False, True):
        keys = keyring.load(Path(settings.KEYRING_PATH), afresh=afresh).keys
        for known, key in keys.items():
            if known % 256 == version:
                return key
    return None


def decrypt(value: bytes, aad: bytes) -> bytes:
    """Open a value that `encrypt` made for the same `aad`; raise `CipherBroken` otherwise."""
    value = bytes(value)
    key = _key_of(value[0]) if len(value) > NONCE_BYTES + 1 else None
    if key is None:
        raise CipherBroken("a stored value names no key of the ring")
    try:
        return _cipher(key).decrypt(value[1 : 1 + NONCE_BYTES], value[1 + NONCE_BYTES :], aad)
    except InvalidTag:
        raise CipherBroken("a stored value does not belong to this row") from None


def opens(value: bytes, aad: bytes) -> bool:
    """Tell whether the ring opens a stored value."""
    try:
        decrypt(value, aad)
    except CipherBroken:
        return False
    return True


def encrypt_text(text: str, aad: bytes) -> bytes:
    """Encrypt a text as UTF-8."""
    return encrypt(text.encode(), aad)


def decrypt_text(value: bytes, aad: bytes) -> str:
    """Open a text."""
    return decrypt(value, aad).decode()


def blind_digest(plain: bytes, *, domain: str) -> bytes:
    """Return the 16-byte keyed digest of `plain` for look-ups; `domain` keeps uses apart."""
    mac = hmac.new(ring().index_key, domain.encode() + b"\x00" + plain, hashlib.sha256)
    return mac.digest()[:DIGEST_BYTES]


def digester(*, domain: str) -> Callable[[bytes], bytes]:
    """Return `blind_digest` for one domain, at a quarter of the cost, for bulk."""
    keyed = hmac.new(ring().index_key, domain.encode() + b"\x00", hashlib.sha256)

    def digest_one(plain: bytes) -> bytes:
        mac = keyed.copy()
        mac.update(plain)
        return mac.digest()[:DIGEST_BYTES]

    return digest_one
