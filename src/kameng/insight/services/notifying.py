"""Customers of a shop that closes are told once, by e-mail and in their inboxes."""

from typing import Final

from django.db import transaction
from procrastinate.contrib.django import app

from kameng.accounts.models import Customer
from kameng.accounts.selectors import login_of
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.messaging.rendering import mail_form
from kameng.messaging.services import EmailDraft, InboxDraft, send_email, send_inbox
from kameng.tenancy.addresses import site_url
from kameng.tenancy.closing import begin_closing, mark_customers_told
from kameng.tenancy.models import Closing
from kameng.tenancy.selectors import get_site_view

QUEUE: Final = "imports"
TELL_TASK: Final = "insight.tell_customers"
BATCH: Final = 500
LANGUAGE: Final = "zh-hans"
FIELDS: Final = ("contact", "link", "reason", "site_name")


def announce_closing(*, reason: str, is_by_platform: bool, actor: Actor) -> Closing:
    """Wind the site in force down and have its customers told. Raises `MainSiteStays`.

    The same again changes nothing. The job that tells them is queued with the change.
    """
    with transaction.atomic():
        closing = begin_closing(reason=reason, is_by_platform=is_by_platform, actor=actor)
        if closing.told_at is None:
            task = app.configure_task(TELL_TASK, queue=QUEUE)
            task.defer(site_id=require_site_id(), closing_id=closing.id)
    return closing


def tell_customers(closing_id: int) -> int:
    """Write to every customer of the site in force; return how many were looked at.

    Cut off and begun anew it writes to nobody twice: each message has the day of the closing in its
    key, so that who begins and gives up many times a day writes to nobody more than once.
    """
    closing = Closing.objects.filter(id=closing_id, ended_at=None, told_at=None).first()
    if closing is None:
        return 0
    count, after_id = 0, 0
    rows = Customer.objects.filter(is_active=True).order_by("id")
    while page := list(rows.filter(id__gt=after_id)[:BATCH]):
        _tell(page, closing)
        count += len(page)
        after_id = page[-1].id
    mark_customers_told(closing_id)
    return count


def _tell(page: list[Customer], closing: Closing) -> None:
    view = get_site_view(require_site_id())
    day = f"{closing.created_at.astimezone(view.settings.zone):%Y-%m-%d}"
    values = {
        "site_name": view.name,
        "reason": closing.reason,
        "contact": view.settings.contact_text or "—",
        "link": f"{site_url(view.site_id)}/account/wallet/",
    }
    text = mail_form("shop_closing", FIELDS, LANGUAGE).fill(values)
    drafts = [
        EmailDraft(
            site_id=view.site_id,
            to=login_of(row),
            subject=text.subject,
            body=text.body,
            dedupe_key=f"closing:{day}:{row.id}",
            language=LANGUAGE,
        )
        for row in page
        if row.login_kind == "email"
    ]
    inbox = [
        InboxDraft(
            site_id=view.site_id,
            customer_id=row.id,
            title=text.subject,
            body=text.body,
            dedupe_key=f"closing:{day}",
            link="/account/wallet/",
        )
        for row in page
    ]
    with transaction.atomic():
        send_email(drafts)
        send_inbox(inbox)
