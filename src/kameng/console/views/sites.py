"""Sites, their hosts and state, and the plans: the platform owner's own pages.

Every act here runs in a platform scope, because it writes rows of another site's audit log.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import list_owners, list_staff
from kameng.accounts.services.opening import open_sub_site
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.prepaid import WayForm
from kameng.console.forms.sites import HostForm, OpeningForm, SiteForm, StateForm
from kameng.console.initial_password import make_initial_password
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.orders.services.settling import switch_settlement
from kameng.tenancy.claiming import drop_host
from kameng.tenancy.models import SettlementWay, Site, SiteState
from kameng.tenancy.selectors import (
    SiteView,
    get_plan,
    get_site,
    list_domains,
    list_plans,
    list_sites,
    primary_host,
    site_scope,
)
from kameng.tenancy.services import (
    add_domain,
    change_site,
    set_site_state,
)
from kameng.web.forms import read_choice

T = TypeVar("T")


@console_page("sites.manage")
def sites(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List every site with its host, plan, owner and state."""
    rows = list_sites()
    owners = list_owners([row.id for row in rows])
    context = {"rows": [(row, primary_host(row.id), owners.get(row.id, "")) for row in rows]}
    return show(request, "console/sites/list.html", context)


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
    """Show one site; rename it, move it to another plan."""
    shown = get_site(site_id)
    data = request.POST if request.method == "POST" else None
    form = SiteForm(
        data,
        plans=list_plans(),
        is_main=shown.is_main,
        initial={"name": shown.name, "plan_id": shown.plan_id},
    )

    def act() -> bool:
        chosen = form.cleaned_data.get("plan_id")
        plan = get_plan(int(chosen)) if chosen else None
        name = form.cleaned_data["name"]
        change_site(site_id=site_id, name=name, plan=plan, actor=actor_of(request))
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
        "form": SiteForm(
            plans=list_plans(),
            is_main=shown.is_main,
            initial={"name": shown.name, "plan_id": shown.plan_id},
        ),
        "host_form": HostForm(),
        "state_form": StateForm(),
        "way_form": WayForm(initial={"way": shown.settlement_way}),
        "domains": list_domains(shown.id),
        "staff": staff,
        "port": _port_of(request),
        "is_open": shown.state == SiteState.OPEN,
    } | context
    return show(request, "console/sites/detail.html", values, status=status)


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
    return done(request, _("已停用，买家现在看到停用原因。"), to=_site_url(site, site_id))


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
