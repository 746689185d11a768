"""Pure decisions about sending: how long to wait, when to give up, what a header may hold."""

import re

MAX_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 30
WAIT_FACTOR = 4
LEASE_SECONDS = 300
CLAIM_LIMIT = 50
KEEP_SENT_DAYS = 30
SUBJECT_MAX = 120
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def wait_seconds(attempts: int) -> int:
    """Return how long to wait after so many failed attempts: 30 s, 2 min, 8 min, 32 min, 2 h."""
    return int(FIRST_WAIT_SECONDS * WAIT_FACTOR ** max(0, attempts - 1))


def is_last(attempts: int) -> bool:
    """Tell whether no further attempt is made."""
    return attempts >= MAX_ATTEMPTS


def clean_header(text: str, *, limit: int = SUBJECT_MAX) -> str:
    """Return a text that can stand in a header: one line, bounded."""
    return " ".join(CONTROL.sub(" ", text).split())[:limit]


def clean_body(text: str) -> str:
    """Return a text that can be sent and stored: no NUL, no lone surrogate."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
