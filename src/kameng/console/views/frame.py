"""The frame of every page of the back office: which site, who, may they, and what stands around.

`console_page(permission)` opens a view under `/console/<site_slug>/`: the site of the path is put
in force, the person's right on it is checked, times are in its zone. A platform user opens any
site on the main site's host, an operator there his own; a sub-site's host opens that site alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from kameng.accounts.people import Person, StaffPerson
from kameng.accounts.services.sessions import note_session_seen
from kameng.console.errors import PermissionMissing, SecondFactorNeeded, SignInNeeded
from kameng.console.navigation import Link, build_links
from kameng.console.second_factor_rule import find_due, is_overdue
from kameng.console.term_bar import find_standing_bar, find_term_bar
from kameng.core import clock
from kameng.core.scope import open_scope
from kameng.insight.attention import MoneyWaiting, count_attention, count_money_waiting
from kameng.tenancy.addresses import site_url
from kameng.tenancy.errors import SiteNotFound
from kameng.tenancy.selectors import (
    SiteView,
    find_site_by_slug,
    get_site_view,
    list_sites_by_id,
    scope_of,
)
from kameng.tenancy.site_lists import list_sites_newest
from kameng.web.cookies import session_token
from kameng.web.requests import KamengRequest, actor_of

SWITCH_LIMIT = 12
SEEN_SECONDS = 300
View = Callable[..., HttpResponseBase]


class ConsoleRequest(KamengRequest):
    """A request inside the frame, for type checks: `working` is the site of the path."""

    working: SiteView


@dataclass(frozen=True, slots=True)
class May:
    """What the person may do on the site, for templates: `{% if may.orders_refund %}`."""

    person: Person
    site_id: int

    def __getitem__(self, name: str) -> bool:
        return self.person.can(name.replace("_", ".", 1), self.site_id)


def console_page(permission: str | None) -> Callable[[View], View]:
    """Open a view of the back office as `view(request, site, **kwargs)` for who has `permission`.

    None is for one's own account: open to every member of staff, and the only pages that someone
    reaches who must set a second factor up first. Guests are led to the sign-in page. Raises
    `SiteNotFound` for a site that this host or person does not open, `PermissionMissing` where the
    role lacks the permission.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def opened(request: ConsoleRequest, site_slug: str, **kwargs: Any) -> HttpResponseBase:
            if not isinstance(request.person, StaffPerson):
                return lead_to_sign_in(request)
            site = find_working_site(request, site_slug)
            if permission is not None:
                if not request.person.can(permission, site.site_id):
                    raise PermissionMissing
                if is_overdue(find_due(request, site), site):
                    return lead_to_set_up(request, site)
            _note_seen(request)
            request.working = site
            with open_scope(scope_of(site)), timezone.override(site.settings.zone):
                return view(request, site, **kwargs)

        return opened

    return wrap


def find_working_site(request: ConsoleRequest, slug: str) -> SiteView:
    """Return the site that a path names, if this host and this person open it."""
    site = request.site
    if slug != site.slug:
        row = find_site_by_slug(slug) if site.is_main else None
        if row is None:
            raise SiteNotFound
        site = get_site_view(row.id)
    person = request.person
    if not isinstance(person, StaffPerson):
        raise SiteNotFound
    if not person.is_platform and site.site_id not in person.roles:
        raise SiteNotFound
    return site


def lead_to_sign_in(request: ConsoleRequest) -> HttpResponse:
    """Send a browser to the sign-in page and back afterwards; refuse a program."""
    wants_page = request.method in {"GET", "HEAD"} and "json" not in request.headers.get(
        "Accept", ""
    )
    if not wants_page:
        raise SignInNeeded
    query = urlencode({"next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('console:sign_in')}?{query}")


def lead_to_set_up(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Send a browser to where a second factor is set up, and back afterwards; refuse a program."""
    if request.method not in {"GET", "HEAD"} or "json" in request.headers.get("Accept", ""):
        raise SecondFactorNeeded
    query = urlencode({"setup": "1", "next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('console:account', args=[site.slug])}?{query}")


def _note_seen(request: ConsoleRequest) -> None:
    """Write down every few minutes that a session is in use: for the lists of sessions."""
    seen_at = getattr(request.person, "seen_at", None)
    if seen_at is None or (clock.now() - seen_at).total_seconds() < SEEN_SECONDS:
        return
    with open_scope(scope_of(request.site)):  # sessions belong to the host's site
        note_session_seen(session_token(request))


def enter(request: ConsoleRequest) -> HttpResponse:
    """Lead from /console/ to the first page that the person may open."""
    if not isinstance(request.person, StaffPerson):
        return lead_to_sign_in(request)
    slug = home_slug(request)
    site = find_working_site(request, slug)
    links = build_links(site=site, path="", can=_can(request, site))
    if not links:
        return HttpResponseRedirect(reverse("console:account", args=[site.slug]))
    return HttpResponseRedirect(links[0].url)


def home_slug(request: ConsoleRequest) -> str:
    """Return the slug of the site that the person begins with on this host."""
    person = request.person
    if not isinstance(person, StaffPerson):
        raise SiteNotFound
    if person.is_platform or request.site.site_id in person.roles:
        return request.site.slug
    own = list_sites_by_id(list(person.roles)) if request.site.is_main else []
    if not own:
        raise SiteNotFound
    return own[0].slug


def show(
    request: ConsoleRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render a page in the frame. Adds site, slug, may, nav and what the top of the page needs."""
    values = {**frame_context(request), **(context or {})}
    return render(request, template, values, status=status)


def frame_context(request: ConsoleRequest) -> dict[str, Any]:
    """Return what `console/base.html` needs; a fragment without the frame needs none of it."""
    site, person = request.working, request.person
    links = build_links(site=site, path=request.path, can=_can(request, site))
    shop = shop_url(request, site)
    return {
        "site": site,
        "slug": site.slug,
        "site_name": site.name,
        "palette": site.settings.palette,
        "may": May(person, site.site_id),
        "me": person,
        "nav_links": [link for link in links if not link.is_foot],
        "nav_foot": [link for link in links if link.is_foot],
        "nav_pages": links[:8],
        "switch_sites": list_switch_sites(request),
        "waiting_count": _waiting_count(request, site),
        "money_waiting": _money_waiting(request, site),
        "shop_url": shop,
        "visit_url": visit_url(request, site, shop=shop),
        "here": request.get_full_path(),
        "second_factor_due": find_due(request, site),
        "standing_bar": find_standing_bar(site),
        "term_bar": find_term_bar(site, may_buy=person.can("plan.buy", site.site_id)),
    }


def may_see_costs(request: ConsoleRequest) -> bool:
    """Tell whether the person runs the platform, and so may read the main site's costs anywhere."""
    return isinstance(request.person, StaffPerson) and request.person.is_platform


def shop_url(request: ConsoleRequest, site: SiteView) -> str:
    """Return the address of the site's shop: relative on its own host, else whole."""
    if site.site_id == request.site.site_id:
        return "/"
    return f"{site_url(site.site_id)}/"


def visit_url(request: ConsoleRequest, site: SiteView, *, shop: str) -> str:
    """Return where a link to the shop leads: by a pass to one that others do not see yet."""
    if site.is_preparing and site.site_id != request.site.site_id:
        return reverse("console:look_inside", args=[site.slug])
    return shop


def list_switch_sites(request: ConsoleRequest) -> list[Any]:
    """Return the sites that the switcher offers: at most `SWITCH_LIMIT`, the palette finds all."""
    person = request.person
    if not request.site.is_main or not isinstance(person, StaffPerson):
        return []
    if person.is_platform:
        return list_sites_newest(limit=SWITCH_LIMIT)
    return list_sites_by_id(list(person.roles)[:SWITCH_LIMIT])


def _can(request: ConsoleRequest, site: SiteView) -> Callable[[str], bool]:
    return lambda permission: request.person.can(permission, site.site_id)


def _waiting_count(request: ConsoleRequest, site: SiteView) -> int:
    return count_attention() if request.person.can("orders.view", site.site_id) else 0


def _money_waiting(request: ConsoleRequest, site: SiteView) -> MoneyWaiting | None:
    return count_money_waiting() if request.person.can("orders.view", site.site_id) else None


__all__ = [
    "ConsoleRequest",
    "Link",
    "actor_of",
    "console_page",
    "enter",
    "find_working_site",
    "frame_context",
    "show",
]
