"""The dashboard's own addresses: its figures every few seconds, its tables as files, the shops.

The first page (`overview`) shows the same figures; everything here reads the same period from the
address: `period`, and for an own range `first` and `last`.
"""

import datetime as dt
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

from django.http import FileResponse, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kameng.accounts.people import StaffPerson
from kameng.console.dashboard_page import PERIODS, Screen, describe, say_days
from kameng.console.errors import PermissionMissing
from kameng.console.exports_dashboard import EXPORTS
from kameng.console.forms.days import FIRST_DAY
from kameng.console.site_ranks import describe_ranks
from kameng.console.views.confirming import confirmed
from kameng.console.views.exports import EXPORT, send_export
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.core import clock
from kameng.insight.dashboard import read_dashboard
from kameng.insight.periods import Period, choose_period
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice

Text = str | Promise
LIVE_SECONDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One period or one view to switch to."""

    name: Text
    url: str
    is_current: bool


def read_screen(request: ConsoleRequest, site: SiteView, *, now: dt.datetime) -> Screen:
    """Return the dashboard that an address asks for; the main site begins with all shops."""
    period = read_period(request, site, now=now)
    is_all = site.is_main and _sees_all(request) and request.GET.get("of") != "own"
    can = request.person.can
    return Screen(
        site=site,
        board=read_dashboard(site, period=period, now=now, is_all=is_all),
        sees_money=can("money.view", site.site_id),
        sees_orders=can("orders.view", site.site_id),
        sees_children=can("children.manage", site.site_id),
    )


def read_period(request: ConsoleRequest, site: SiteView, *, now: dt.datetime) -> Period:
    """Return the period of an address."""
    return choose_period(
        request.GET.get("period", "today"),
        today=now.astimezone(site.settings.zone).date(),
        first=_day(request.GET.get("first", "")),
        last=_day(request.GET.get("last", "")),
    )


def _sees_all(request: ConsoleRequest) -> bool:
    """Tell whether the person runs the platform: staff of the main site see its own shop."""
    person = request.person
    return isinstance(person, StaffPerson) and person.is_platform


def _day(text: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day is not None and day >= FIRST_DAY else None


def page_of(screen: Screen, request: ConsoleRequest) -> dict[str, Any]:
    """Return what stands around the figures: the periods to choose, the addresses of this one."""
    slug, period = [screen.site.slug], screen.period
    can_switch = screen.site.is_main and _sees_all(request)
    kept = period_query(period) | ({} if screen.is_all or not can_switch else {"of": "own"})
    live = f"{reverse('console:dashboard_live', args=slug)}?{urlencode(kept)}"
    return {
        "periods": [
            Choice(name=name, url="?" + urlencode(_of(kept) | {"period": code}), is_current=True)
            if code == period.code
            else Choice(
                name=name, url="?" + urlencode(_of(kept) | {"period": code}), is_current=False
            )
            for code, name in PERIODS.items()
            if code != "own"
        ],
        "views": _views(screen, kept) if can_switch else [],
        "live_url": live if period.is_running else "",
        "live_seconds": LIVE_SECONDS,
        "export_base": reverse("console:dashboard_file", args=slug),
        "export_query": urlencode(kept),
        "exports": {code: name for code, (name, _make) in EXPORTS.items()},
        "sites_url": reverse("console:dashboard_sites", args=slug) + "?" + urlencode(kept)
        if can_switch
        else "",
        "kept_of": kept.get("of", ""),
    }


def _of(kept: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in kept.items() if name == "of"}


def _views(screen: Screen, kept: dict[str, str]) -> list[Choice]:
    others = {name: value for name, value in kept.items() if name != "of"}
    return [
        Choice(
            name=gettext_lazy("全部店铺"), url="?" + urlencode(others), is_current=screen.is_all
        ),
        Choice(
            name=gettext_lazy("主站自己"),
            url="?" + urlencode(others | {"of": "own"}),
            is_current=not screen.is_all,
        ),
    ]


def period_query(period: Period) -> dict[str, str]:
    """Return the parts of an address that say a period."""
    if period.code != "own":
        return {"period": period.code}
    days = period.days
    return {"period": "own", "first": days.first.isoformat(), "last": days.last.isoformat()}


@console_page("overview.view")
def dashboard_live(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Give the figures again: `state` changes with them, `html` takes their place."""
    screen = read_screen(request, site, now=clock.now())
    context = describe(screen) | page_of(screen, request)
    html = render_to_string("console/dashboard/live.html", context, request=request)
    state = blake2b(html.encode(), digest_size=8).hexdigest()
    answer = {"state": state, "html": html if request.GET.get("state") != state else None}
    response = JsonResponse(answer)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@console_page(EXPORT)
@confirmed
def dashboard_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give one table of the dashboard as a file."""
    if not request.person.can("overview.view", site.site_id):
        raise PermissionMissing
    code = find_choice(request, "table", choices=EXPORTS, default="days")
    screen = read_screen(request, site, now=clock.now())
    return send_export(request, site, EXPORTS[code][1](screen))


@console_page("overview.view")
def dashboard_sites(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Rank every shop, and name those that are far from their own past. For the platform alone."""
    if not site.is_main or not _sees_all(request):
        raise PermissionMissing
    now = clock.now()
    period = read_period(request, site, now=now)
    context = {
        **describe_ranks(site, period=period, now=now, sort=request.GET.get("sort", "")),
        "period": period,
        "days_text": say_days(period),
        "periods": [
            Choice(name=name, url=f"?period={code}", is_current=code == period.code)
            for code, name in PERIODS.items()
            if code != "own"
        ],
        "title": _("各店铺"),
    }
    return show(request, "console/dashboard/sites.html", context)
