"""Codes of an authenticator app (RFC 6238): six digits, SHA-1, a new one every 30 seconds. Pure.

One step before and after counts too, for clocks that differ; which code is used up is decided by
who stores the step (`services.second_factors`).
"""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

SECRET_BYTES = 20
STEP = 30
DIGITS = 6
DRIFT = 1


def new_secret() -> bytes:
    """Return 160 random bits."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Return a secret as people type it into an app: base 32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def code_at(secret: bytes, *, step: int) -> str:
    """Return the code of one step (RFC 4226 with the step as counter)."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = mac[-1] & 0x0F
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def find_step(secret: bytes, *, code: str, seconds: int) -> int | None:
    """Return the step whose code this is at a moment (seconds since 1970), or None.

    Every step in reach is compared, so that the time of the answer tells nothing.
    """
    now = seconds // STEP
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(
            code_at(secret, step=step).encode(), code.encode("utf-8", "replace")
        ):
            found = step
    return found


def setup_uri(secret: bytes, *, login: str, issuer: str) -> str:
    """Return what the QR code of the set-up says."""
    label = quote(f"{issuer}:{login}", safe="")
    query = urlencode(
        {
            "secret": base64.b32encode(secret).decode(),
            "issuer": issuer,
            "algorithm": "SHA1",
            "digits": DIGITS,
            "period": STEP,
        },
        quote_via=quote,
    )
    return f"otpauth://totp/{label}?{query}"
