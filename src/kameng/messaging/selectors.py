"""Reads of messages of the site in force."""

from dataclasses import dataclass

from kameng.messaging.channels.email.channel import is_configured
from kameng.messaging.models import Email, EmailState, InboxMessage

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTrouble:
    """Why e-mails do not go out: `code` is no_server or given_up."""

    code: str
    count: int


def count_unread(customer_id: int) -> int:
    """Count a customer's unread messages, at most 100."""
    unread = InboxMessage.objects.filter(customer_id=customer_id, read_at__isnull=True)
    return int(unread[:100].count())


def list_inbox(
    customer_id: int, *, before_id: int | None = None, limit: int = PAGE_SIZE
) -> list[InboxMessage]:
    """Return a customer's messages, newest first; keyset by `before_id`."""
    rows = InboxMessage.objects.filter(customer_id=customer_id).order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[: min(limit, 100)])


def list_linked(customer_id: int, *, link: str, limit: int = 100) -> list[InboxMessage]:
    """Return the messages of a customer that lead to one page, oldest first."""
    rows = InboxMessage.objects.filter(customer_id=customer_id, link=link).order_by("id")
    return list(rows[:limit])


def list_unsent_emails(*, before_id: int | None = None, limit: int = PAGE_SIZE) -> list[Email]:
    """Return e-mails that wait or were given up, newest first, without their addresses."""
    rows = Email.objects.exclude(state=EmailState.SENT).order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.defer("to_cipher", "body_cipher")[: min(limit, 100)])


def find_mail_trouble() -> MailTrouble | None:
    """Return what the operator must know about e-mails that do not go out, or None."""
    if not is_configured():
        waiting = Email.objects.filter(state=EmailState.WAITING).count()
        return MailTrouble(code="no_server", count=waiting) if waiting else None
    failed = Email.objects.filter(state=EmailState.FAILED).count()
    return MailTrouble(code="given_up", count=failed) if failed else None
