"""Writes of messages: into inboxes and into the e-mail queue, each once by its dedupe key.

Works on the site in force, or for many sites at once inside a platform scope (consumers of
events). E-mails are sent by `deliver_due_emails` in the worker, at least once.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.crypto import (
    CipherBroken,
    binding,
    decrypt_text,
    encrypt_text,
    encrypter,
    ring,
)
from kameng.core.scope import current_scope, platform_scope
from kameng.messaging import store
from kameng.messaging.channels.email.channel import MailChannel, is_configured, open_channel
from kameng.messaging.channels.email.markup import draw_mail
from kameng.messaging.channels.email.wire import OutgoingMail
from kameng.messaging.dressing import Dress, Dresser
from kameng.messaging.errors import EmailNotFound, SendFailed
from kameng.messaging.models import Audience, Email, EmailState, InboxMessage
from kameng.messaging.rules import (
    CLAIM_LIMIT,
    KEEP_SENT_DAYS,
    LEASE_SECONDS,
    clean_body,
    clean_header,
    is_last,
    wait_seconds,
)
from kameng.tenancy.selectors import SiteView, get_site_view

BATCH = 500
log = structlog.get_logger("kameng.messaging")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxDraft:
    """A message for a customer's inbox."""

    site_id: int
    customer_id: int
    title: str
    body: str
    dedupe_key: str  # at most 64 characters: the event and its subject
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailDraft:
    """An e-mail to an address in clear; `repr` shows neither address nor text."""

    site_id: int
    to: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    dedupe_key: str  # at most 64 characters
    audience: int = Audience.BUYER
    language: str = ""  # of the words; empty: the language in force


def send_inbox(drafts: Sequence[InboxDraft]) -> None:
    """Put messages into inboxes, in one statement; one that is there already is left alone."""
    store.put_inbox(
        [
            (
                draft.site_id,
                draft.customer_id,
                clean_header(draft.title, limit=80),
                clean_body(draft.body)[:2000],
                draft.link[:200],
                draft.dedupe_key,
            )
            for draft in drafts
        ]
    )


def send_email(drafts: Sequence[EmailDraft]) -> None:
    """Queue e-mails, encrypted, in one statement; one that is there already is left alone."""
    seal = encrypter()
    store.queue_emails(
        [
            (
                draft.site_id,
                seal(draft.to.encode(), _aad(draft.site_id, "email_to", draft.dedupe_key)),
                clean_header(draft.subject),
                seal(
                    clean_body(draft.body).encode(),
                    _aad(draft.site_id, "email_body", draft.dedupe_key),
                ),
                draft.dedupe_key,
                int(draft.audience),
                draft.language or get_language() or settings.LANGUAGE_CODE,
            )
            for draft in drafts
        ]
    )


def write_off_email(draft: EmailDraft) -> None:
    """Write down an e-mail that nobody gets, without its address and text.

    At the cost of one that is queued: the time of an answer must not tell who has an account.
    """
    seal, aad = encrypter(), _aad(draft.site_id, "email_to", draft.dedupe_key)
    seal(clean_body(draft.body).encode(), aad)
    Email.objects.create(
        site_id=draft.site_id,
        to_cipher=seal(b"", aad),
        subject=clean_header(draft.subject),
        body_cipher=b"",
        dedupe_key=draft.dedupe_key,
        state=EmailState.SENT,
    )


def mark_inbox_read(customer_id: int, *, up_to_id: int | None = None) -> int:
    """Mark a customer's messages as read, all or up to one; return how many were unread."""
    rows = InboxMessage.objects.filter(customer_id=customer_id, read_at__isnull=True)
    if up_to_id is not None:
        rows = rows.filter(id__lte=up_to_id)
    return int(rows.update(read_at=clock.now()))


def retry_email(email_id: int, *, actor: Actor) -> None:
    """Queue an e-mail of the site in force anew that was given up. Raises `EmailNotFound`."""
    with transaction.atomic():
        changed = Email.objects.filter(id=email_id, state=EmailState.FAILED).update(
            state=EmailState.WAITING, attempts=0, next_attempt_at=clock.now(), last_error=""
        )
        if not changed:
            raise EmailNotFound
        record(
            "email.retried",
            actor=actor,
            site_id=current_scope().site_id,
            subject=("email", email_id),
        )


def deliver_due_emails(dresser: Dresser | None = None) -> int:
    """Send what is due, over one connection; return how many were sent.

    `dresser` gives each mail the look of its shop beside its text; without one the text goes alone.
    Claims by one statement, sends outside any transaction, writes the outcomes by one statement.
    A worker killed between sending and writing sends again after the lease. Without a mail server
    nothing is claimed: e-mails wait, and `selectors.find_mail_trouble` says why.
    """
    if not is_configured():
        return 0
    with platform_scope("deliver e-mails of every site"):
        claimed = store.claim_emails(limit=CLAIM_LIMIT, lease_seconds=LEASE_SECONDS)
        if not claimed:
            return 0
        outcomes = _deliver(claimed, dresser)
        store.finish_emails(outcomes)
    return sum(outcome[1] == EmailState.SENT for outcome in outcomes)


def sweep_emails() -> int:
    """Delete e-mails sent a month ago; return how many rows."""
    limit = clock.now() - dt.timedelta(days=KEEP_SENT_DAYS)
    with platform_scope("sweep sent e-mails"):
        old = Email.unscoped.filter(state=EmailState.SENT, created_at__lt=limit)
        return int(old.delete()[0])


def rotate_messaging() -> Iterator[int]:
    """Encrypt e-mails with the current key where they are not; yield the size of each batch.

    Resumable. Each batch is one transaction.
    """
    current = bytes((ring().current % 256,))
    last_id = 0
    while True:
        with platform_scope("rotate the keys of e-mails"), transaction.atomic():
            rows = lock_emails(last_id)
            if not rows:
                return
            last_id = rows[-1].id
            stale = [row for row in rows if bytes(row.to_cipher)[:1] != current]
            for row in stale:
                _encrypt_anew(row)
            Email.unscoped.bulk_update(stale, ["to_cipher", "body_cipher"])
        yield len(stale)


def lock_emails(after_id: int) -> list[Email]:
    """Lock the next e-mails by id; who sends them clears them in between otherwise."""
    rows = Email.unscoped.filter(id__gt=after_id).order_by("id")
    return list(rows.select_for_update(no_key=True)[:BATCH])


def _encrypt_anew(row: Email) -> None:
    for column, name in (("to_cipher", "email_to"), ("body_cipher", "email_body")):
        value = bytes(getattr(row, column))
        if value:
            aad = _aad(row.site_id, name, row.dedupe_key)
            setattr(row, column, encrypt_text(decrypt_text(value, aad), aad))


def _deliver(
    claimed: Sequence[tuple[Any, ...]], dresser: Dresser | None
) -> list[tuple[int, int, int, str]]:
    dresses = _find_dresses({(row[1], row[7], row[8]) for row in claimed}, dresser)
    try:
        with open_channel() as channel:
            sites = {site_id: get_site_view(site_id) for site_id in {row[1] for row in claimed}}
            return [
                _deliver_one(row, channel, sites[row[1]], dresses.get((row[1], row[7], row[8])))
                for row in claimed
            ]
    except SendFailed as fault:
        log.warning("mail_server_away", code=fault.code)
        return [_outcome(row, fault) for row in claimed]


def _find_dresses(
    wanted: set[tuple[int, int, str]], dresser: Dresser | None
) -> dict[tuple[int, int, str], Dress]:
    """Return the dress of each (site, audience, language)."""
    found: dict[tuple[int, int, str], Dress] = {}
    for site_id, audience, language in wanted if dresser else ():
        try:
            found[site_id, audience, language] = dresser(  # type: ignore[misc]
                site_id, audience=audience, language=language
            )
        except Exception as fault:  # a look that cannot be drawn must not hold the words back
            log.exception("mail_undressed", site_id=site_id, fault=type(fault).__name__)
    return found


def _deliver_one(
    row: tuple[Any, ...], channel: MailChannel, site: SiteView, dress: Dress | None
) -> tuple[int, int, int, str]:
    email_id, site_id, to_cipher, subject, body_cipher, key = row[:6]
    try:
        body = decrypt_text(body_cipher, _aad(site_id, "email_body", key))
        mail = OutgoingMail(
            to=decrypt_text(to_cipher, _aad(site_id, "email_to", key)),
            sender=site.settings.mail_from or settings.MAIL_FROM,
            sender_name=site.name,
            subject=subject,
            body=body,
            reference=f"kameng.{email_id}",
            html=draw_mail(subject, body, dress) if dress else "",
            logo=dress.logo.data if dress and dress.logo else b"",
        )
        channel.send(mail)
    except CipherBroken:
        return _outcome(row, SendFailed("unreadable", is_final=True))
    except SendFailed as fault:
        return _outcome(row, fault)
    return email_id, EmailState.SENT, 0, ""


def _outcome(row: tuple[Any, ...], fault: SendFailed) -> tuple[int, int, int, str]:
    email_id, attempts = row[0], row[6]
    if fault.is_final or is_last(attempts):
        log.warning("email_given_up", email_id=email_id, code=fault.code, attempts=attempts)
        return email_id, EmailState.FAILED, 0, fault.code[:200]
    return email_id, EmailState.WAITING, wait_seconds(attempts), fault.code[:200]


def _aad(site_id: int, column: str, key: str) -> bytes:
    return binding(site_id, column, key)
