"""The plan of a sub-site as its operator sees it: what it holds, when it ends, how to go on."""

import datetime as dt
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import list_staff
from kameng.catalog.selectors import count_own_goods
from kameng.console.answers import done, see_other
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.core import clock
from kameng.orders.links import site_token
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import (
    PlanLimits,
    SiteView,
    count_child_sites,
    get_limits,
    get_site,
    list_domains,
)
from kameng.tenancy.services import change_settings
from kameng.tenancy.terms import list_terms
from kameng.web.requests import actor_of

LINK_SECONDS = 7200  # between opening the page and paying on the main site
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One limit of the plan with what is used of it; no most: as many as one likes."""

    name: str
    used: int
    most: int | None

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more may be added."""
        return self.most is not None and self.used >= self.most


@console_page("plan.view")
def my_plan(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the plan, what is used of it, its end, and the history of its terms."""
    stored = get_site(site.site_id)
    limits = get_limits(site.site_id)
    now = clock.now()
    context = {
        "stored": stored,
        "limits": limits,
        "uses": _uses(stored, limits),
        "terms": list_terms(site.site_id),
        "now": now,
        "days_left": -((now - stored.expires_at) // DAY) if stored.expires_at else None,
        "is_over": stored.expires_at is not None and stored.expires_at <= now,
        "may_buy": request.person.can("plan.buy", site.site_id),
        "more_url": reverse("console:more_time", args=[site.slug]),
    }
    return show(request, "console/plan.html", context)


@console_page("plan.buy")
def more_time(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Lead to where the main site sells more time for this shop, with the proof of who asks."""
    person = request.person
    user_id = person.user_id if isinstance(person, StaffPerson) else 0
    until = int(clock.now().timestamp()) + LINK_SECONDS
    token = site_token(site.site_id, user_id=user_id, until=until)
    link = f"{site.site_id}.{user_id}.{until}.{token}"
    return see_other(f"{site_url(site.main_id)}{reverse('storefront:prolong')}?k={link}")


@require_POST
@console_page("overview.view")
def dismiss_step(request: ConsoleRequest, site: SiteView, code: str) -> HttpResponse:
    """Put a step of the checklist away, or bring it back."""
    is_back = request.POST.get("back") == "1"
    hidden = set(site.settings.hidden_steps.split(",")) - {code, ""}
    if not is_back:
        hidden.add(code)
    change_settings(
        site_id=site.site_id,
        changes={"hidden_steps": ",".join(sorted(hidden))[:200]},
        actor=actor_of(request),
    )
    said = _("已恢复。") if is_back else _("已收起，随时能恢复。")
    return done(request, said, to=reverse("console:overview", args=[site.slug]))


def _uses(stored: Site, limits: PlanLimits) -> list[Use]:
    hosts = sum(each.is_own for each in list_domains(stored.id))
    staff = max(len(list_staff()) - 1, 0)
    return [
        Use(name=_("自有域名"), used=hosts, most=limits.domains_most),
        Use(name=_("员工（站长除外）"), used=staff, most=limits.staff_most),
        Use(name=_("自营商品"), used=count_own_goods(), most=limits.own_goods_most),
        Use(
            name=_("下级分站"),
            used=count_child_sites(stored.id),
            most=limits.child_sites_most,
        ),
    ]
