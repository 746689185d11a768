"""What owners are told when the main site acts on their shop: by e-mail and in their back office.

Suspensions, closings and transfers that the main site begins or ends, each once by its event.
"""

import hashlib
from collections.abc import Iterator, Sequence

from django.utils.translation import override

from kameng.accounts.selectors import list_owner_logins
from kameng.core.events import LoggedEvent
from kameng.messaging.models import Audience
from kameng.messaging.operator_notices import NoticeDraft, post_notices
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import host_url
from kameng.tenancy.claims import find_platform_host
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import list_sites_by_id

LANGUAGE = "zh-hans"


def send_standing_news(events: Sequence[LoggedEvent]) -> None:
    """Write e-mails and notices; call inside the consumer's transaction and platform scope."""
    sites = {site.id: site for site in list_sites_by_id(list({each.site_id for each in events}))}
    owners = list_owner_logins(set(sites))
    known = [event for event in events if event.site_id in sites]
    with override(LANGUAGE):
        send_email(
            [
                draft
                for event in known
                for draft in _write(event, sites[event.site_id], owners.get(event.site_id, ()))
            ]
        )
    post_notices(
        [
            NoticeDraft(
                site_id=event.site_id,
                kind=str(event.payload["what"]),
                dedupe_key=f"standing:{event.event_id}",
                values={
                    "reason": event.payload.get("reason", ""),
                    "to": event.payload.get("to", ""),
                },
            )
            for event in known
        ]
    )


def _write(event: LoggedEvent, site: Site, to: Sequence[str]) -> Iterator[EmailDraft]:
    # Not under a domain of the site: a closed shop may lose it.
    link = f"{host_url(find_platform_host(site.id))}/console/{site.slug}/"
    values = {
        "what": event.payload["what"],
        "reason": event.payload.get("reason", ""),
        "to": event.payload.get("to", ""),
        "link": link,
        "site_name": site.name,
    }
    text = render_mail("site_standing", values)
    for login in dict.fromkeys(each for each in to if "@" in each):
        digest = hashlib.sha256(login.encode()).hexdigest()[:16]
        yield EmailDraft(
            site_id=site.id,
            to=login,
            subject=text.subject,
            body=text.body,
            dedupe_key=f"standing:{event.event_id}:{digest}",
            audience=Audience.STAFF,
            language=LANGUAGE,
        )
