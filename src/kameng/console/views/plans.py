"""Plans: what sub-sites pay above the cost, what they may have, and for how much they are sold."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.selectors import PlanOffer, list_plan_offers
from kameng.catalog.services.plan_goods import name_term, put_plan_on_sale, take_plan_off_sale
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.sites import OfferForm, PlanForm, SuffixForm, plan_values
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.scope import platform_scope
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import Plan
from kameng.tenancy.selectors import (
    SiteView,
    branch_host,
    count_sites_by_plan,
    get_plan,
    list_plans,
)
from kameng.tenancy.services import PlanDraft, change_settings, save_plan
from kameng.web.forms import read_whole

BLANK = {
    "minimum_amount": 0,
    "domains_most": 1,
    "staff_most": 5,
    "own_goods_most": 0,
    "own_goods_share_bps": 500,
    "child_sites_most": 0,
    "grace_days": 7,
    "is_offered": True,
    "position": 0,
}


@console_page("sites.manage")
def plans(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the plans with what they hold, what they cost and how many sites are on each."""
    stored = SuffixForm(initial={"suffix": site.settings.branch_suffix})
    return _list(request, site, suffix_form=stored)


def _list(
    request: ConsoleRequest, site: SiteView, *, suffix_form: SuffixForm, status: int = 200
) -> HttpResponse:
    counts = count_sites_by_plan()
    offers = list_plan_offers()
    context = {
        "rows": [(row, counts.get(row.id, 0), _offers_of(offers, row.id)) for row in list_plans()],
        "open_url": f"{site_url(site.site_id)}{reverse('storefront:plans')}" if offers else "",
        "suffix_form": suffix_form,
        "sample_host": branch_host("xiaobei"),
    }
    return show(request, "console/sites/plans.html", context, status=status)


@require_POST
@console_page("sites.manage")
@confirmed
def set_suffix(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Say below which address new shops stand."""
    form = SuffixForm(request.POST)

    def act() -> Any:
        suffix = form.cleaned_data["suffix"].strip().lower().lstrip("*.")
        changes: dict[str, object] = {"branch_suffix": suffix}
        return change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))

    if run_form(form, act) is None:
        return _list(request, site, suffix_form=form, status=status_of(form))
    return done(request, _("已保存。"), to=reverse("console:plans", args=[site.slug]))


@console_page("sites.manage")
@confirmed
def plan(request: ConsoleRequest, site: SiteView, plan_id: int | None = None) -> HttpResponse:
    """Make or change a plan."""
    stored = None if plan_id is None else get_plan(plan_id)
    initial = BLANK if stored is None else plan_values(stored)
    form = PlanForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> Any:
        with platform_scope("change a plan of all sub-sites"):
            draft = PlanDraft(**form.cleaned_data)
            return save_plan(draft, plan_id=plan_id, actor=actor_of(request))

    if form.is_bound:
        saved = run_form(form, act)
        if saved is not None:
            said = _("已保存。") if stored else _("套餐已建好，再定个价格就能卖了。")
            return done(request, said, to=reverse("console:plan", args=[site.slug, saved.id]))
    return _show(request, stored, {"form": form}, status=status_of(form))


def _show(
    request: ConsoleRequest, stored: Plan | None, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    values: dict[str, Any] = {
        "plan": stored,
        "site_count": count_sites_by_plan().get(stored.id, 0) if stored else 0,
        "offers": _offers_of(list_plan_offers(), stored.id) if stored else [],
        "offer_form": OfferForm(),
    }
    if stored is not None and "form" not in context:
        values["form"] = PlanForm(initial=plan_values(stored))
    return show(request, "console/sites/plan.html", values | context, status=status)


@require_POST
@console_page("sites.manage")
@confirmed
def sell(request: ConsoleRequest, site: SiteView, plan_id: int) -> HttpResponse:
    """Sell a plan for a time at a price."""
    stored, form = get_plan(plan_id), OfferForm(request.POST)

    def act() -> Any:
        data = form.cleaned_data
        return put_plan_on_sale(
            stored, days=data["days"], amount=data["amount"], actor=actor_of(request)
        )

    if run_form(form, act) is None:
        return _show(request, stored, {"offer_form": form}, status=status_of(form))
    return done(request, _("已上架，开店页马上能买。"), to=_plan_url(site, plan_id))


@require_POST
@console_page("sites.manage")
@confirmed
def unsell(request: ConsoleRequest, site: SiteView, plan_id: int) -> HttpResponse:
    """Sell a plan for a time no longer."""
    take_plan_off_sale(read_whole(request, "variant", low=1, high=2**62), actor=actor_of(request))
    return done(request, _("已下架。"), to=_plan_url(site, plan_id))


def _plan_url(site: SiteView, plan_id: int) -> str:
    return reverse("console:plan", args=[site.slug, plan_id]) + "#offers"


def _offers_of(offers: list[PlanOffer], plan_id: int) -> list[tuple[PlanOffer, str]]:
    return [(each, name_term(each.days)) for each in offers if each.plan.id == plan_id]
