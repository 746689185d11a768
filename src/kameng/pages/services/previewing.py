"""Preview links: who holds one sees a draft without signing in, for some days."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.pages.errors import PreviewInvalid
from kameng.pages.models import Page, PreviewLink
from kameng.pages.selectors import get_page
from kameng.pages.services.drafting import lock_page

LINK_DAYS: Final = 7
LINKS_MOST: Final = 50  # of a page, in use at once


def make_preview_link(page_id: int, *, actor: Actor) -> str:
    """Return a new token for a page's draft, good for `LINK_DAYS` days; only its hash is kept.

    A page has at most `LINKS_MOST`: the oldest ends for a newer one. Locks the page. Raises
    `PageNotFound`.
    """
    token = secrets.token_urlsafe(18)
    with transaction.atomic():
        page = lock_page(page_id)  # or links made at one moment would pass the limit together
        PreviewLink.objects.create(
            site_id=page.site_id,
            page=page,
            token_hash=_hash(token),
            expires_at=clock.now() + timedelta(days=LINK_DAYS),
            created_by=actor.name[:100],
        )
        _clear_away(page_id)
        record("page.shared", actor=actor, site_id=page.site_id, subject=("page", page.id))
    return token


def _clear_away(page_id: int) -> None:
    """Forget the links to a page that open nothing any more, and the oldest beyond the limit."""
    links = PreviewLink.in_site().filter(page_id=page_id)
    links.filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=clock.now())).delete()
    over = list(links.order_by("-id").values_list("id", flat=True)[LINKS_MOST:])
    links.filter(id__in=over).delete()


def revoke_preview_links(page_id: int, *, actor: Actor) -> int:
    """Make every link to a page's draft useless; return how many were in use."""
    page = get_page(page_id)
    open_links = PreviewLink.in_site().filter(page_id=page_id, revoked_at__isnull=True)
    count = open_links.update(revoked_at=clock.now())
    record("page.unshared", actor=actor, site_id=page.site_id, subject=("page", page.id))
    return count


def open_preview(token: str) -> Page:
    """Return the page of a token on the site in force. Raises `PreviewInvalid`."""
    link = (
        PreviewLink.in_site()
        .filter(token_hash=_hash(token), revoked_at__isnull=True, expires_at__gt=clock.now())
        .first()
    )
    if link is None:
        raise PreviewInvalid
    return get_page(link.page_id)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
