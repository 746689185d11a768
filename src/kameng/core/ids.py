"""Numbers and tokens that leave the system: unguessable, and short enough to read aloud."""

import datetime as dt
import hashlib
import secrets

NUMBER_DIGITS = 18


def new_number(moment: dt.datetime) -> str:
    """Return an 18-digit number: yymmdd in UTC, then 12 random digits.

    40 random bits a day keep it unguessable enough to print; it opens nothing by itself
    (orders need a token). Callers hold a unique index and draw again on a collision.
    """
    return f"{moment:%y%m%d}{secrets.randbelow(10**12):012d}"


def new_token() -> str:
    """Return a fresh 192-bit token for a URL or a cookie."""
    return secrets.token_urlsafe(24)


def token_digest(token: str) -> bytes:
    """Return what is stored of a token: its SHA-256 (the token itself is never stored)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
