"""Hand-written SQL of the e-mail queue. Runs in a platform scope: the worker serves every site."""

from collections.abc import Sequence
from typing import Any

from kameng.core.database import fetch


def claim_emails(*, limit: int, lease_seconds: int) -> list[tuple[Any, ...]]:
    """Take due e-mails: (id, site, to cipher, subject, body cipher, dedupe key, attempts).

    One statement; partial index messaging_email_waiting; rows of other workers are skipped.
    """
    return fetch("select * from messaging_claim_emails(%s, %s)", (limit, lease_seconds))


def finish_emails(outcomes: Sequence[tuple[int, int, int, str]]) -> None:
    """Write (id, state, seconds until the next attempt, error) of claimed e-mails, in id order.

    One statement on the primary key.
    """
    ids, states, waits, faults = zip(*sorted(outcomes), strict=True)
    fetch(
        "select messaging_finish_emails(%s::bigint[], %s::smallint[], %s::int[], %s::text[])",
        (list(ids), list(states), list(waits), list(faults)),
    )
