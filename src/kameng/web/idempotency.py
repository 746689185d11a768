"""The key that makes a repeated post harmless.

A form carries a fresh key in a hidden field; a program sends it as `Idempotency-Key`. What is done
under a key is done once: the service keeps it under a unique index and answers the second time
with the first answer.
"""

import re
import secrets

from django.http import HttpRequest

from kameng.web.errors import KeyMissing

FIELD = "request_key"
KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


def new_key() -> str:
    """Return a fresh key for a form."""
    return secrets.token_urlsafe(18)


def read_key(request: HttpRequest) -> str:
    """Return the key that came with a post; raise `KeyMissing` when there is none."""
    key = request.headers.get("Idempotency-Key", "") or request.POST.get(FIELD, "")
    if KEY.fullmatch(key) is None:
        raise KeyMissing
    return key
