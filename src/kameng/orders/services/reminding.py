"""Telling owners that the time of their shop ends: 14, 7, 3 and 1 days before, and at the end.

Once each for one end: the row of `TermNotice` is unique and written in the transaction of the mail.
Who looks late is told of the nearest distance only.
"""

import datetime as dt

from django.db import transaction

from kameng.accounts.selectors import list_owner_emails
from kameng.core import clock
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import list_sites_ending, site_scope
from kameng.tenancy.terms import forgo_told, take_notice

LANGUAGE = "zh-hans"
AFTER = dt.timedelta(days=30)  # an end that is longer ago is told of no more


def remind_owners() -> int:
    """Tell the owners whose turn it is; return of how many ends. One transaction a site."""
    now = clock.now()
    # Most of those that end were told before: a transaction each, every ten minutes, would be many.
    sites = forgo_told(list_sites_ending(after=now - AFTER, now=now))
    return sum(_remind(site) for site in sites)


def _remind(site: Site) -> int:
    ends_at = site.expires_at
    assert ends_at is not None and site.plan is not None  # noqa: S101, PT018 - asked for so
    with site_scope(site.id) as view, transaction.atomic():
        days = take_notice(site)
        if days is None:
            return 0
        zone = view.settings.zone
        lapses = site.lapses_at or ends_at
        mail = render_mail(
            "term_ends",
            {
                "site_name": view.name,
                "plan": site.plan.name,
                "days": days,
                "ends_on": f"{ends_at.astimezone(zone):%Y-%m-%d %H:%M}",
                "lapses_on": f"{lapses.astimezone(zone):%Y-%m-%d %H:%M}",
                "has_grace": lapses > ends_at,
                "link": f"{site_url(view.site_id)}/console/{view.slug}/my-plan/",
            },
            language=LANGUAGE,
        )
        send_email(
            [
                EmailDraft(
                    site_id=site.id,
                    to=email,
                    subject=mail.subject,
                    body=mail.body,
                    dedupe_key=f"term:{site.id}:{int(ends_at.timestamp())}:{days}:{number}",
                    audience=Audience.STAFF,
                    language=LANGUAGE,
                )
                for number, email in enumerate(list_owner_emails())
            ]
        )
    return 1
