"""Password hashes: Argon2id with the parameters that OWASP names for a small machine.

19 MiB, two passes, one lane: about 25 ms of one core. A hash made with other parameters still
verifies and is renewed at the next sign-in. At most two at a time in one process, so that a storm
of sign-ins costs time and not memory.
"""

import threading
from functools import cache

from django.contrib.auth.hashers import Argon2PasswordHasher, make_password, verify_password

from kameng.accounts.rules import PASSWORD_MAX

_slots = threading.BoundedSemaphore(2)


class Argon2(Argon2PasswordHasher):
    """Argon2id, 19 MiB, t=2, p=1."""

    memory_cost = 19_456
    time_cost = 2
    parallelism = 1


def hash_password(password: str) -> str:
    """Return what is stored of a password. Slow on purpose: never inside a transaction."""
    with _slots:
        return make_password(password)


def check_password(password: str, encoded: str | None) -> tuple[bool, bool]:
    """Return (is right, should be hashed anew). Without a hash the same work is done for nothing.

    An unknown login therefore takes as long as a wrong password.
    """
    # One character over the bound is enough to be wrong; a lone surrogate cannot be encoded.
    text = password[: PASSWORD_MAX + 1].encode("utf-8", "replace").decode()
    with _slots:
        is_right, is_weak = verify_password(text, encoded or _nobody())
    return (is_right, is_weak) if encoded else (False, False)


@cache
def _nobody() -> str:
    return make_password("the password of nobody")
