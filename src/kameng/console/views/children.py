"""Child sites of a sub-site: its list with sums, opening one, what it pays, stopping it.

Promises that an upline sees sums of its children and how the prices on their shelves come about
from its own price on, never their customers or orders.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import list_owners
from kameng.accounts.services.opening import open_child_site
from kameng.catalog.chains import list_chains, terms_of
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.children import ChildForm, ChildTermsForm, HaltForm, terms_values
from kameng.console.forms.fields import read_id
from kameng.console.initial_password import make_initial_password
from kameng.console.price_trace import trace_child
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.orders.shares import ChildSums, sum_children
from kameng.pricing.markups import WholesalePlan
from kameng.pricing.money import Amount
from kameng.settlement.claims import day_and_month
from kameng.tenancy.addresses import site_url
from kameng.tenancy.child_invitations import open_child_invitations
from kameng.tenancy.children import (
    read_room,
    reopen_child,
    set_terms,
    suspend_child,
)
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import (
    SiteView,
    branch_host,
    find_child,
    get_site,
    get_site_view,
    list_children,
    primary_host,
)

DAYS_SHOWN = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRow:
    """A child in the list: itself, where it sells, who runs it, what it pays, what it sold."""

    site: Site
    view: SiteView
    host: str
    owner: str
    sums: ChildSums

    @property
    def has_own_terms(self) -> bool:
        """Tell whether other terms than its upline's usual ones hold for it."""
        return self.site.child_markup_bps is not None


@console_page("children.manage")
def children(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the children with the sums of this month and of 30 days, and the usual terms."""
    _day, month = day_and_month(site)
    context = {
        "rows": _rows(site, since=month),
        "room": read_room(site.site_id),
        "usual": _usual_terms(site),
        "invitation_count": open_child_invitations().count(),
        "part_amount": sum(each.part_amount for each in sum_children(since=month).values()),
    }
    return show(request, "console/children/list.html", context)


def _rows(site: SiteView, *, since: dt.datetime) -> list[ChildRow]:
    found = list_children(site.site_id)
    owners = list_owners([row.id for row in found])
    sums = sum_children(since=since)
    return [
        ChildRow(
            site=row,
            view=get_site_view(row.id),
            host=primary_host(row.id) or "",
            owner=owners.get(row.id, ""),
            sums=sums.get(row.id, ChildSums(site_id=row.id)),
        )
        for row in found
    ]


def _usual_terms(site: SiteView) -> WholesalePlan:
    stored = get_site(site.site_id)
    return WholesalePlan(
        markup_bps=stored.child_markup_bps or 0,
        minimum_margin_amount=Amount(stored.child_minimum_amount or 0),
    )


@console_page("children.manage")
@confirmed
def new_child(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Open a child site; its owner's first password is shown once, on the answer itself."""
    form = ChildForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        password = make_initial_password()
        opened = run_form(
            form,
            lambda: open_child_site(
                form.opening(password=password), upline_id=site.site_id, actor=actor_of(request)
            ),
        )
        if opened is not None:
            context = {
                "opened": opened,
                "shop": site_url(opened.id),
                "login": form.cleaned_data["owner_login"].strip().lower(),
                "password": password,
            }
            response = show(request, "console/children/opened.html", context)
            response["Cache-Control"] = "no-store"
            return response
    context = {"form": form, "room": read_room(site.site_id), "suffix": branch_host("")}
    return show(request, "console/children/new.html", context, status=status_of(form))


@console_page("children.manage")
def child(request: ConsoleRequest, site: SiteView, child_id: int) -> HttpResponse:
    """Show one child with its sums; set what it pays instead of the usual."""
    shown = find_child(child_id, upline_id=site.site_id)
    view = get_site_view(shown.id)
    form = _terms_form(request, view.child_markup_bps, view.child_minimum_amount)

    def act() -> bool:
        set_terms(site_id=shown.id, terms=form.terms(), actor=actor_of(request))
        return True

    if form.is_bound and run_form(form, act) is not None:
        text = _("已保存，这个下级的拿货价马上按它计算，已下的单不受影响。")
        return done(request, text, to=_child_url(site, shown.id))
    return _show_child(request, site, shown, {"form": form}, status=status_of(form))


def _show_child(
    request: ConsoleRequest,
    site: SiteView,
    shown: Site,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    view = get_site_view(shown.id)
    day, month = day_and_month(site)
    none = ChildSums(site_id=shown.id)
    spans = ((_("今天"), day), (_("本月"), month), (_("近 30 天"), day - dt.timedelta(DAYS_SHOWN)))
    values = {
        "shown": shown,
        "view": view,
        "host": primary_host(shown.id),
        "shop": site_url(shown.id),
        "owner": list_owners([shown.id]).get(shown.id, ""),
        "usual": _usual_terms(site),
        "spans": [(name, sum_children(since=since).get(shown.id, none)) for name, since in spans],
        "form": ChildTermsForm(
            initial=terms_values(view.child_markup_bps, view.child_minimum_amount)
        ),
        "halt_form": HaltForm(),
        "query": f"child={shown.id}",
    } | context
    values |= _chain_context(site, terms_of(view), child=view)
    return show(request, "console/children/detail.html", values, status=status)


@console_page("children.manage")
def child_terms(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Set what all children pay for whom nothing else is set."""
    usual = _usual_terms(site)
    form = _terms_form(request, usual.markup_bps, usual.minimum_margin_amount)

    def act() -> bool:
        set_terms(site_id=site.site_id, terms=form.terms(), actor=actor_of(request))
        return True

    if form.is_bound and run_form(form, act) is not None:
        text = _("已保存，没有单独设置的下级马上按它计算。")
        return done(request, text, to=reverse("console:children", args=[site.slug]))
    context = {"form": form, "count": len(list_children(site.site_id)), "query": ""}
    context |= _chain_context(site, usual)
    return show(request, "console/children/terms.html", context, status=status_of(form))


def _terms_form(request: ConsoleRequest, markup_bps: int, least: int) -> ChildTermsForm:
    data = request.POST if request.method == "POST" else None
    return ChildTermsForm(data, initial=terms_values(markup_bps, least))


@require_POST
@console_page("children.manage")
def preview_terms(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the way of prices at the typed terms, before they are saved."""
    form = ChildTermsForm(request.POST)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        child_id = read_id(request.GET.get("child"))
        try:
            found = None if child_id is None else find_child(child_id, upline_id=site.site_id)
            view = None if found is None else get_site_view(found.id)
            context |= _chain_context(site, form.plan(), child=view)
        except Refusal as refusal:
            context["problem"] = refusal.text()
    return show(request, "console/children/chain.html", context)


def _chain_context(
    site: SiteView, terms: WholesalePlan, *, child: SiteView | None = None
) -> dict[str, Any]:
    chains = list_chains(site, terms=terms, child=child)
    sample = chains[0] if chains else None
    return {
        "chains": chains,
        "sample": sample,
        "trace": trace_child(sample.unit) if sample is not None else None,
        "over_count": sum(each.is_over_list for each in chains),
    }


@require_POST
@console_page("children.manage")
def usual_terms(request: ConsoleRequest, site: SiteView, child_id: int) -> HttpResponse:
    """Let a child pay what the others pay again."""
    shown = find_child(child_id, upline_id=site.site_id)
    set_terms(site_id=shown.id, terms=None, actor=actor_of(request))
    return done(request, _("已恢复默认供货条件。"), to=_child_url(site, shown.id))


@require_POST
@console_page("children.manage")
@confirmed
def halt_child(request: ConsoleRequest, site: SiteView, child_id: int) -> HttpResponse:
    """Stop a child from selling, with a reason."""
    shown, form = find_child(child_id, upline_id=site.site_id), HaltForm(request.POST)

    def act() -> bool:
        suspend_child(
            site_id=shown.id,
            upline_id=site.site_id,
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
        )
        return True

    if run_form(form, act) is None:
        return _show_child(request, site, shown, {"halt_form": form}, status=status_of(form))
    is_closing = shown.state == SiteState.CLOSING
    text = _("已暂停：不关店了也不能营业。") if is_closing else _("已暂停，买家现在看到暂停原因。")
    return done(request, text, to=_child_url(site, shown.id))


@require_POST
@console_page("children.manage")
def resume_child(request: ConsoleRequest, site: SiteView, child_id: int) -> HttpResponse:
    """Let a child sell again that was stopped from here."""
    shown = find_child(child_id, upline_id=site.site_id)
    try:
        reopen_child(site_id=shown.id, upline_id=site.site_id, actor=actor_of(request))
    except Refusal as refusal:
        return _show_child(request, site, shown, {"problem": refusal.text()}, status=refusal.status)
    text = _("已取消暂停。") if shown.state == SiteState.CLOSING else _("已恢复营业。")
    return done(request, text, to=_child_url(site, shown.id))


def _child_url(site: SiteView, child_id: int) -> str:
    return reverse("console:child", args=[site.slug, child_id])
