"""Operators are told what the platform did with their own goods: by notice and by e-mail, once.

Call inside the transaction of the act, in a platform scope.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from kameng.accounts.selectors import list_owner_logins
from kameng.catalog.models import Product
from kameng.core.ids import new_token
from kameng.messaging.models import Audience
from kameng.messaging.operator_notices import NoticeDraft, post_notices
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import host_url
from kameng.tenancy.claims import find_platform_host
from kameng.tenancy.selectors import list_sites_by_id

LANGUAGE: Final = "zh-hans"
NAMED_MOST: Final = 3


def tell_operators(products: Sequence[Product], *, kind: str, reason: str = "") -> None:
    """Tell the operators of these goods; `kind` is goods_taken or goods_allowed."""
    by_site: dict[int, list[Product]] = defaultdict(list)
    for product in products:
        by_site[product.site_id].append(product)
    owners = list_owner_logins(set(by_site))
    act = new_token()[:20]  # one act, one key: written in its transaction, or not at all
    for site in list_sites_by_id(list(by_site)):
        own = by_site[site.id]
        titles = "、".join(each.title for each in own[:NAMED_MOST])
        values = {
            "count": len(own),
            "titles": titles + ("…" if len(own) > NAMED_MOST else ""),
            "reason": reason,
        }
        post_notices(
            [NoticeDraft(site_id=site.id, kind=kind, dedupe_key=f"goods:{act}", values=values)]
        )
        link = f"{host_url(find_platform_host(site.id))}/console/{site.slug}/goods/?owner=own"
        text = render_mail(
            "own_goods",
            {**values, "is_taken": kind == "goods_taken", "link": link, "site_name": site.name},
            language=LANGUAGE,
        )
        send_email(
            [
                EmailDraft(
                    site_id=site.id,
                    to=login,
                    subject=text.subject,
                    body=text.body,
                    dedupe_key=f"goods:{act}:{hashlib.sha256(login.encode()).hexdigest()[:16]}",
                    audience=Audience.STAFF,
                    language=LANGUAGE,
                )
                for login in owners.get(site.id, ())
                if "@" in login
            ]
        )
