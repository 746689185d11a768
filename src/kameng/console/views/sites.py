"""Sites, their hosts and state, and the plans: the platform owner's own pages.

Every act here runs in a platform scope, because it writes rows of another site's audit log.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import list_owners, list_staff
from kameng.accounts.services.opening import open_sub_site
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.children import UplineForm
from kameng.console.forms.prepaid import WayForm
from kameng.console.forms.sites import HostForm, OpeningForm, SiteForm, StateForm, TermForm
from kameng.console.initial_password import make_initial_password
from kameng.console.paging import page_urls, read_site_page
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.orders.services.settling import switch_settlement
from kameng.tenancy.addresses import list_letterheads
from kameng.tenancy.children import move_child
from kameng.tenancy.claiming import drop_host
from kameng.tenancy.models import SettlementWay, Site, SiteState
from kameng.tenancy.selectors import (
    SiteView,
    get_plan,
    get_site,
    list_children,
    list_domains,
    list_plans,
    primary_host,
    site_scope,
)
from kameng.tenancy.services import (
    add_domain,
    change_settings,
    change_site,
    set_site_state,
)
from kameng.tenancy.site_lists import SiteFilter
from kameng.tenancy.terms import list_terms, set_term_by_hand
from kameng.web.forms import find_choice, read_choice

T = TypeVar("T")
PAGE_SIZE = 50
VIEWS = {
    "all": gettext_lazy("全部"),
    "ending": gettext_lazy("14 天内到期"),
    "over": gettext_lazy("已到期"),
    "suspended": gettext_lazy("停业中"),
}
SOON = dt.timedelta(days=14)


def term_tone(row: Site, *, now: dt.datetime) -> str:
    """Return how the end of a site's term looks: nothing, soon, grace or lapsed."""
    if row.expires_at is None or row.lapses_at is None or row.expires_at > now + SOON:
        return ""
    if row.expires_at > now:
        return "soon"
    return "grace" if row.lapses_at > now else "lapsed"


@console_page("sites.manage")
def sites(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List sites with host, plan, term, owner and state, by page and filter."""
    wanted = SiteFilter(
        text=request.GET.get("q", "").replace("\x00", ""),
        view=find_choice(request, "view", choices=VIEWS, default="all"),
    )
    page = read_site_page(request, wanted, size=PAGE_SIZE)
    owners = list_owners([row.id for row in page.rows])
    hosts = list_letterheads([row.id for row in page.rows])
    now = clock.now()
    context = {
        "rows": [
            (row, hosts[row.id].url, owners.get(row.id, ""), term_tone(row, now=now))
            for row in page.rows
        ],
        "wanted": wanted,
        "views": VIEWS,
        "children_allowed": site.settings.child_sites_allowed,
        "page": page,
        **page_urls(request, page),
    }
    return show(request, "console/sites/list.html", context)


@require_POST
@console_page("sites.manage")
@confirmed
def allow_children(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Let sub-sites whose plan says so have child sites, or no new ones any more."""
    is_allowed = read_choice(request, "action", choices=("allow", "forbid")) == "allow"
    change_settings(
        site_id=site.site_id,
        changes={"child_sites_allowed": is_allowed},
        actor=actor_of(request),
    )
    text = _("已开放，套餐里有名额的分站可以开下级。") if is_allowed else _("已停止开新的下级。")
    return done(request, text, to=reverse("console:sites", args=[site.slug]))


@console_page("sites.manage")
@confirmed
def new_site(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Open a sub-site; its owner's first password is shown once, on the answer itself."""
    form = OpeningForm(request.POST if request.method == "POST" else None, plans=list_plans())
    if form.is_bound:
        password = make_initial_password()
        opened = run_form(
            form,
            lambda: open_sub_site(form.opening(password=password), actor=actor_of(request)),
        )
        if opened is not None:
            return _show_opened(request, opened, form, password)
    return show(
        request,
        "console/sites/new.html",
        {"form": form, "plans": list_plans()},
        status=status_of(form),
    )


def _show_opened(
    request: ConsoleRequest, opened: Site, form: OpeningForm, password: str
) -> HttpResponse:
    context = {
        "opened": opened,
        "host": primary_host(opened.id),
        "port": _port_of(request),
        "login": form.cleaned_data["owner_login"].strip().lower(),
        "password": "" if form.cleaned_data["is_known_owner"] else password,
    }
    response = show(request, "console/sites/opened.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _port_of(request: ConsoleRequest) -> str:
    """Return the port of this page's own address with its colon, so that links lead somewhere."""
    _host, colon, port = request.get_host().rpartition(":")
    return f":{port}" if colon and port.isdecimal() else ""


@console_page("sites.manage")
@confirmed
def site_page(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Show one site; rename it."""
    shown = get_site(site_id)
    data = request.POST if request.method == "POST" else None
    form = SiteForm(
        data,
        initial={"name": shown.name},
    )

    def act() -> bool:
        name = form.cleaned_data["name"]
        change_site(site_id=site_id, name=name, actor=actor_of(request))
        return True

    if form.is_bound and run_form(form, _as_platform(act)) is not None:
        return done(request, _("已保存。"), to=_site_url(site, site_id))
    return _show_site(request, shown, {"form": form}, status=status_of(form))


def _show_site(
    request: ConsoleRequest, shown: Site, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    with site_scope(shown.id):
        staff = list_staff()
    values = {
        "shown": shown,
        "form": SiteForm(initial={"name": shown.name}),
        "term_form": _term_form(shown),
        "terms": list_terms(shown.id),
        "tone": term_tone(shown, now=clock.now()),
        "host_form": HostForm(),
        "state_form": StateForm(),
        "way_form": WayForm(initial={"way": shown.settlement_way}),
        "upline_form": _upline_form(shown),
        "below": list_children(shown.id),
        "domains": list_domains(shown.id),
        "staff": staff,
        "port": _port_of(request),
        "is_open": shown.state == SiteState.OPEN,
        "is_leaving": shown.state in {SiteState.CLOSING, SiteState.CLOSED},
    } | context
    return show(request, "console/sites/detail.html", values, status=status)


def _upline_form(shown: Site, data: QueryDict | None = None) -> UplineForm:
    upline = ""
    if shown.upline_id:
        upline = primary_host(shown.upline_id) or str(shown.upline_id)
    initial = {"upline": upline, "plan_id": shown.plan_id}
    return UplineForm(data, plans=list_plans(), initial=initial)


@require_POST
@console_page("sites.manage")
@confirmed
def set_upline(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Let a sub-site buy through another one, or from the main site itself."""
    shown = get_site(site_id)
    form = _upline_form(shown, request.POST)

    def act() -> bool:
        move_child(
            site_id=site_id,
            upline_id=form.chosen_upline,
            plan_id=int(form.cleaned_data["plan_id"]),
            actor=actor_of(request),
        )
        return True

    if run_form(form, _as_platform(act)) is None:
        return _show_site(request, shown, {"upline_form": form}, status=status_of(form))
    return done(request, _("上级已保存，新订单按新的上级结算。"), to=_site_url(site, site_id))


@require_POST
@console_page("sites.manage")
@confirmed
def add_host(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Let a host lead to a site."""
    shown, form = get_site(site_id), HostForm(request.POST)

    def act() -> Any:
        data = form.cleaned_data
        return add_domain(
            site_id=site_id,
            host=data["host"],
            is_primary=data["is_primary"],
            actor=actor_of(request),
        )

    if run_form(form, _as_platform(act)) is None:
        return _show_site(request, shown, {"host_form": form}, status=status_of(form))
    return done(request, _("网址已添加。"), to=_site_url(site, site_id))


@require_POST
@console_page("sites.manage")
@confirmed
def remove_host(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Take a host away from a site; the last one stays."""
    shown = get_site(site_id)
    host = request.POST.get("host", "")[:253]
    if len(list_domains(site_id)) < 2:
        problem = _("每个站点至少要有一个网址，请先添加新的。")
        return _show_site(request, shown, {"problem": problem}, status=409)
    try:
        _as_platform(lambda: drop_host(site_id=site_id, host=host, actor=actor_of(request)))()
    except Refusal as refusal:
        return _show_site(request, shown, {"problem": refusal.text()}, status=refusal.status)
    return done(request, _("网址已移除。"), to=_site_url(site, site_id))


@require_POST
@console_page("sites.manage")
@confirmed
def set_state(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Suspend a sub-site with a reason, or let it sell again."""
    shown, form = get_site(site_id), StateForm(request.POST)
    if shown.is_main:
        problem = _("主站不能停用。")
        return _show_site(request, shown, {"problem": problem}, status=409)
    if read_choice(request, "action", choices=("suspend", "reopen")) == "reopen":
        _set_state(request, site_id, SiteState.OPEN, "")
        return done(request, _("已恢复营业。"), to=_site_url(site, site_id))

    def act() -> bool:
        _set_state(request, site_id, SiteState.SUSPENDED, form.cleaned_data["reason"])
        return True

    if run_form(form, act) is None:
        return _show_site(request, shown, {"state_form": form}, status=status_of(form))
    if shown.state == SiteState.CLOSING:
        text = _("已记下：取消关店后是停用，不会恢复营业。")
        return done(request, text, to=_site_url(site, site_id))
    return done(request, _("已停用，买家现在看到停用原因。"), to=_site_url(site, site_id))


@require_POST
@console_page("sites.manage")
@confirmed
def set_term(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Set plan and end of a sub-site by hand, for a reason."""
    shown = get_site(site_id)
    form = TermForm(request.POST, plans=list_plans())

    def act() -> bool:
        data = form.cleaned_data
        zone = site.settings.zone
        ends_on = data["ends_on"]
        last = None if ends_on is None else dt.datetime.combine(ends_on, dt.time.max, tzinfo=zone)
        set_term_by_hand(
            site_id=site_id,
            plan=get_plan(int(data["plan_id"])),
            ends_at=last,
            reason=data["reason"],
            actor=actor_of(request),
        )
        return True

    if run_form(form, _as_platform(act)) is None:
        return _show_site(request, shown, {"term_form": form}, status=status_of(form))
    return done(request, _("套餐和到期日已保存，马上生效。"), to=_site_url(site, site_id))


def _term_form(shown: Site) -> TermForm:
    ends = timezone.localdate(shown.expires_at) if shown.expires_at else None
    return TermForm(plans=list_plans(), initial={"plan_id": shown.plan_id, "ends_on": ends})


@require_POST
@console_page("sites.manage")
@confirmed
def set_way(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Change how a sub-site comes to its share of what it sells from now on."""
    shown, form = get_site(site_id), WayForm(request.POST)

    def act() -> bool:
        data = form.cleaned_data
        with site_scope(site_id):
            switch_settlement(
                site_id=site_id,
                way=SettlementWay(int(data["way"])),
                reason=data["reason"],
                actor=actor_of(request),
            )
        return True

    if run_form(form, act) is None:
        return _show_site(request, shown, {"way_form": form}, status=status_of(form))
    return done(request, _("结算方式已保存，新订单按它结算。"), to=_site_url(site, site_id))


def _set_state(request: ConsoleRequest, site_id: int, state: SiteState, reason: str) -> None:
    with platform_scope("suspend or reopen a sub-site"):
        set_site_state(site_id=site_id, state=state, reason=reason, actor=actor_of(request))


def _as_platform(act: Callable[[], T]) -> Callable[[], T]:
    def acted() -> T:
        with platform_scope("the platform owner changes a site"):
            return act()

    return acted


def _site_url(site: SiteView, site_id: int) -> str:
    return reverse("console:site", args=[site.slug, site_id])
