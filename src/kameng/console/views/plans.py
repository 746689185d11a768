"""Plans: what sub-sites pay above the cost. A change moves the prices of all sites on the plan."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.sites import OwnGoodsTermsForm, PlanForm, plan_values
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Plan
from kameng.tenancy.selectors import SiteView, get_plan, list_plans, list_sites
from kameng.tenancy.services import save_plan, set_own_goods_terms


@console_page("sites.manage")
def plans(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the plans with how many sites are on each."""
    plan_ids = [row.plan_id for row in list_sites()]
    context = {"rows": [(row, plan_ids.count(row.id)) for row in list_plans()]}
    return show(request, "console/sites/plans.html", context)


@console_page("sites.manage")
@confirmed
def plan(request: ConsoleRequest, site: SiteView, plan_id: int | None = None) -> HttpResponse:
    """Make or change a plan."""
    stored = None if plan_id is None else get_plan(plan_id)
    initial = {"minimum_amount": 0} if stored is None else plan_values(stored)
    form = PlanForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> Any:
        with platform_scope("change a plan of all sub-sites"):
            return save_plan(plan_id=plan_id, **form.cleaned_data, actor=actor_of(request))

    if form.is_bound and run_form(form, act) is not None:
        return done(request, _("已保存。"), to=reverse("console:plans", args=[site.slug]))
    site_count = sum(1 for row in list_sites() if stored and row.plan_id == stored.id)
    context: dict[str, Any] = {"form": form, "plan": stored, "site_count": site_count}
    if stored is not None:
        context["own_goods_form"] = OwnGoodsTermsForm(initial=_own_goods_values(stored))
    return show(request, "console/sites/plan.html", context, status=status_of(form))


@require_POST
@console_page("sites.manage")
@confirmed
def set_own_goods(request: ConsoleRequest, site: SiteView, plan_id: int) -> HttpResponse:
    """Say how many own goods sites on a plan may sell, and what the platform takes of them."""
    stored = get_plan(plan_id)
    form = OwnGoodsTermsForm(request.POST)

    def act() -> bool:
        with platform_scope("change a plan of all sub-sites"):
            set_own_goods_terms(plan_id=plan_id, **form.cleaned_data, actor=actor_of(request))
        return True

    if run_form(form, act) is not None:
        return done(request, _("已保存。"), to=reverse("console:plan", args=[site.slug, plan_id]))
    context = {
        "form": PlanForm(initial=plan_values(stored)),
        "plan": stored,
        "own_goods_form": form,
    }
    return show(request, "console/sites/plan.html", context, status=status_of(form))


def _own_goods_values(plan: Plan) -> dict[str, Any]:
    return {"most": plan.own_goods_most, "share_bps": plan.own_goods_share_bps}
