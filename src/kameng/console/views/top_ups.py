"""Top-ups: the list, one with what of it is unused, returning it, and the rules of bonuses."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.models import Approval
from kameng.accounts.selectors import list_customers_by_id
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.money import BonusRuleForm, ReturnWayForm, TopUpReturnForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.audit import Actor
from kameng.payments.errors import TopUpNotFound
from kameng.payments.models import BonusRule, Purpose, TopUp
from kameng.payments.selectors import (
    find_top_up,
    list_all_top_ups,
    list_payments_of,
    list_refused_returns,
    list_returns_of,
)
from kameng.payments.services.bonuses import (
    BonusTerms,
    add_bonus_rule,
    end_bonus_rule,
    list_bonus_rules,
)
from kameng.payments.services.returning import (
    ReturnWish,
    list_returnable,
    return_top_up,
    settle_refused_return,
)
from kameng.tenancy.selectors import SiteView
from kameng.web.pagination import paginate


@console_page("orders.view")
def top_ups(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List top-ups, newest first, those that could not go back above."""
    page = paginate(
        request, lambda before_id, limit: list_all_top_ups(before_id=before_id, limit=limit)
    )
    names = list_customers_by_id({each.customer_id for each in page.rows})
    context = {
        "rows": [(each, names.get(each.customer_id)) for each in page.rows],
        "page": page,
        "refused": list_refused_returns(),
    }
    return show(request, "console/top_ups/list.html", context)


def _get(top_up_no: str) -> TopUp:
    found = find_top_up(top_up_no[:32])
    if found is None:
        raise TopUpNotFound
    return found


@console_page("orders.view")
def top_up(request: ConsoleRequest, site: SiteView, top_up_no: str) -> HttpResponse:
    """Show one top-up: payment, bonus, what is unused, what went back."""
    return _top_up_page(request, _get(top_up_no))


def _top_up_page(
    request: ConsoleRequest,
    found: TopUp,
    *,
    form: TopUpReturnForm | None = None,
    way: ReturnWayForm | None = None,
) -> HttpResponse:
    returnable = [each for each in list_returnable(found.customer_id) if each.top_up.id == found.id]
    refused = form or way
    context = {
        "top_up": found,
        "customer": list_customers_by_id({found.customer_id}).get(found.customer_id),
        "payments": list_payments_of(Purpose.TOP_UP, paid_for=found.id),
        "returnable": next(iter(returnable), None),
        "returns": list_returns_of(found.id),
        "form": form or TopUpReturnForm(),
        "way": way or ReturnWayForm(),
        "refused": refused,
    }
    status = status_of(refused) if refused else 200
    return show(request, "console/top_ups/detail.html", context, status=status)


@console_page("orders.refund")
def return_by_staff(request: ConsoleRequest, site: SiteView, top_up_no: str) -> HttpResponse:
    """Send unused principal back to its source, however long ago it came."""
    url = reverse("console:top_up", args=[site.slug, top_up_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found, form = _get(top_up_no), TopUpReturnForm(request.POST)
    said = run_form(form, lambda: _return(found, form.cleaned_data, actor_of(request)))
    if said is None:
        return _top_up_page(request, found, form=form)
    return done(request, said, to=url)


def _return(found: TopUp, data: Mapping[str, Any], actor: Actor) -> str:
    wish = ReturnWish(
        amount=data["amount"], reason=data["reason"], idempotency_key=data["idempotency_key"]
    )
    return_top_up(top_up_id=found.id, wish=wish, actor=actor, is_by_staff=True)
    return _("已从余额扣下并请支付通道退回，到账后这里会更新。")


@console_page("orders.refund")
@confirmed
def settle_return(
    request: ConsoleRequest, site: SiteView, top_up_no: str, return_id: int
) -> HttpResponse:
    """Decide a return that the gateway refused."""
    url = reverse("console:top_up", args=[site.slug, top_up_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found, form = _get(top_up_no), ReturnWayForm(request.POST)
    said = run_form(form, lambda: _settle(return_id, form.cleaned_data, actor_of(request)))
    if said is None:
        return _top_up_page(request, found, way=form)
    return done(request, said, to=url)


def _settle(return_id: int, data: Mapping[str, Any], actor: Actor) -> str:
    settled = settle_refused_return(
        return_id=return_id, way=data["way"], reason=data["reason"], actor=actor
    )
    if isinstance(settled, Approval):
        return _("金额超过门槛，已提交复核，等另一位同事处理。")
    return _("退回已按您的选择处理。")


@console_page("settings.edit")
def bonus_rules(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the rules of bonuses and add one."""
    form = BonusRuleForm(request.POST or None)
    if form.is_bound:
        added = run_form(form, lambda: _add(form, site, actor_of(request)))
        if added is not None:
            return done(request, _("赠送规则已生效，充值页马上显示。"), to=request.path)
    context = {"rules": list_bonus_rules(), "form": form}
    return show(request, "console/top_ups/bonuses.html", context, status=status_of(form))


def _add(form: BonusRuleForm, site: SiteView, actor: Actor) -> BonusRule:
    data, zone = form.cleaned_data, site.settings.zone
    terms = BonusTerms(
        min_amount=data["min_amount"],
        bonus_amount=data["bonus_amount"] or 0,
        bonus_bps=data["bonus_bps"] or 0,
        is_once=data["is_once"],
        starts_at=form.moment("starts_on", zone),
        ends_at=form.moment("ends_on", zone),
    )
    return add_bonus_rule(terms, actor=actor)


@console_page("settings.edit")
def end_rule(request: ConsoleRequest, site: SiteView, rule_id: int) -> HttpResponse:
    """Stop a rule."""
    url = reverse("console:bonus_rules", args=[site.slug])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    end_bonus_rule(rule_id, actor=actor_of(request))
    return done(request, _("赠送规则已结束，已经答应的照样送。"), to=url)
