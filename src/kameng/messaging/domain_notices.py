"""What owners are told about their own domains: e-mails, each once for each thing that happened."""

import hashlib
from collections.abc import Iterator, Sequence

from django.utils.translation import override

from kameng.accounts.selectors import list_owner_logins, list_platform_logins
from kameng.core.events import LoggedEvent
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import host_url
from kameng.tenancy.claims import find_platform_host
from kameng.tenancy.events import CertificateFailed, DomainLost, DomainWentAway, DomainWentLive
from kameng.tenancy.own_hosts import shown_as
from kameng.tenancy.selectors import list_sites_by_id

LANGUAGE = "zh-hans"


def send_domain_news(events: Sequence[LoggedEvent]) -> None:
    """Write the e-mails; call inside the consumer's transaction and platform scope.

    Who signs in without an address looks at the page instead.
    """
    site_ids = {event.site_id for event in events}
    owners = list_owner_logins(site_ids)
    sites = {site.id: site for site in list_sites_by_id(list(site_ids))}
    is_failing = any(event.kind == CertificateFailed.KIND for event in events)
    platform = list_platform_logins() if is_failing else []
    with override(LANGUAGE):
        send_email(
            [
                draft
                for event in events
                if (site := sites.get(event.site_id)) is not None
                for draft in _write(
                    event,
                    to=[
                        *owners.get(event.site_id, ()),
                        *(platform if event.kind == CertificateFailed.KIND else ()),
                    ],
                    slug=site.slug,
                    name=site.name,
                )
            ]
        )


def _write(event: LoggedEvent, *, to: Sequence[str], slug: str, name: str) -> Iterator[EmailDraft]:
    # Not under the domain itself: it may be the one that does not open.
    home = host_url(find_platform_host(event.site_id))
    text = render_mail(
        "domain_news",
        {
            "host": shown_as(str(event.payload["host"])),
            "is_live": event.kind == DomainWentLive.KIND,
            "is_away": event.kind == DomainWentAway.KIND,
            "is_lost": event.kind == DomainLost.KIND,
            "was_taken": bool(event.payload.get("was_taken")),
            "link": f"{home}/console/{slug}/domains/",
            "site_name": name,
        },
    )
    for login in dict.fromkeys(each for each in to if "@" in each):
        yield EmailDraft(
            site_id=event.site_id,
            to=login,
            subject=text.subject,
            body=text.body,
            dedupe_key=f"domain:{event.event_id}:{hashlib.sha256(login.encode()).hexdigest()[:16]}",
            audience=Audience.STAFF,
            language=LANGUAGE,
        )
