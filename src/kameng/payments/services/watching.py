"""Watching prepaid balances: their operators are told once when one falls below what they watch."""

from django.db import transaction

from kameng.accounts.selectors import list_owner_emails
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger.selectors import prepaid_balances
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.payments.models import PrepaidWatch
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, list_sites_settled, site_scope
from kameng.tenancy.settings import parse_settings

LANGUAGE = "zh-hans"


def watch_prepaid() -> int:
    """Look at every prepaid balance; tell the owners of those that fell low, once a crossing.

    The same few queries however many sites there are; only those that crossed cost more. Returns
    how many were told of.
    """
    with platform_scope("watch prepaid balances"):
        sites = list_sites_settled(SettlementWay.PREPAID)
        known = dict(PrepaidWatch.unscoped.values_list("site_id", "is_low"))
        held = prepaid_balances([site.id for site in sites], everywhere=True)
    told = 0
    for site in sites:
        least = parse_settings(site.settings).prepaid_alert_amount
        is_low = held[site.id].usable_amount < least
        if is_low != known.get(site.id, False):
            with site_scope(site.id) as view:
                told += _note(view, is_low=is_low, usable=held[site.id].usable_amount)
    return told


def _note(view: SiteView, *, is_low: bool, usable: int) -> int:
    """Remember a crossing and tell of one downwards; the compare-and-set lets one worker tell."""
    with transaction.atomic():
        PrepaidWatch.objects.get_or_create(site_id=view.site_id)
        moved = PrepaidWatch.objects.filter(site_id=view.site_id, is_low=not is_low).update(
            is_low=is_low, changed_at=clock.now()
        )
        if not moved or not is_low:
            return 0
        mail = render_mail(
            "prepaid_low",
            {
                "site_name": view.name,
                "amount": "¥" + format_yuan(Amount(usable)),
                "link": f"{site_url(view.site_id)}/console/{view.slug}/prepaid/",
            },
            language=LANGUAGE,
        )
        moment = int(clock.now().timestamp() * 1000)
        send_email(
            [
                EmailDraft(
                    site_id=view.site_id,
                    to=email,
                    subject=mail.subject,
                    body=mail.body,
                    dedupe_key=f"prepaid_low:{view.site_id}:{moment}:{number}",
                    audience=Audience.STAFF,
                    language=LANGUAGE,
                )
                for number, email in enumerate(list_owner_emails())
            ]
        )
    return 1
