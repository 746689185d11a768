"""Hand-written SQL of inboxes and of the e-mail queue.

Writing goes by the scope in force; sending runs in a platform scope, the worker serves every site.
"""

from collections.abc import Sequence
from typing import Any

from kameng.core.database import fetch


def queue_emails(rows: Sequence[tuple[int, bytes, str, bytes, str, int, str]]) -> None:
    """Queue (site, to cipher, subject, body cipher, dedupe key, audience, language), once by key.

    One statement for any number, which may be repeated; unique index messaging_email_once.
    """
    if rows:
        fetch(
            "select messaging_queue_emails("
            "%b::bigint[], %b::bytea[], %b::text[], %b::bytea[], %b::text[],"
            " %b::smallint[], %b::text[])",
            [list(column) for column in zip(*rows, strict=True)],
        )


def put_inbox(rows: Sequence[tuple[int, int, str, str, str, str]]) -> None:
    """Put (site, customer, title, body, link, dedupe key) into inboxes, each once by its key.

    One statement for any number, which may be repeated; unique index messaging_inbox_once.
    """
    if rows:
        fetch(
            "select messaging_put_inbox("
            "%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[])",
            [list(column) for column in zip(*rows, strict=True)],
        )


def claim_emails(*, limit: int, lease_seconds: int) -> list[tuple[Any, ...]]:
    """Take due e-mails.

    (id, site, to cipher, subject, body cipher, dedupe key, attempts, audience, language).

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
