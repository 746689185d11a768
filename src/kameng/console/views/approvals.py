"""What waits for a second person, and what was decided."""

from typing import Any, Final

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.models import Approval
from kameng.accounts.selectors import (
    get_approval,
    list_customers_by_id,
    list_past_approvals,
    list_waiting_approvals,
)
from kameng.accounts.services.approving import approve_wish, refuse_wish, withdraw_wish
from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.money import DecideForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.settlement.selectors import list_half_approved, name_sites
from kameng.tenancy.selectors import SiteView
from kameng.web.pagination import paginate

ACTS: Final[dict[str, Any]] = {
    "payment.confirm": gettext_lazy("凭证据确认收款"),
    "wallet.adjust": gettext_lazy("调整客户余额"),
    "payment.return_by_hand": gettext_lazy("线下退回付款"),
    "top_up.return_by_hand": gettext_lazy("线下退回充值"),
    "payment.waive": gettext_lazy("免收差额并发货"),
    "payment.surplus_by_hand": gettext_lazy("线下退回多付款"),
    "dispute.write_off": gettext_lazy("争议败诉核销"),
    "order.refund_by_hand": gettext_lazy("订单线下退款"),
    "order.settle_by_hand": gettext_lazy("被拒退款改为线下退"),
}
ABOUT_A_CUSTOMER: Final = "wallet.adjust"
STATE_TONES: Final = {1: "warn", 2: "ok", 3: "bad", 4: "", 5: ""}


@console_page("orders.view")
def approvals(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List acts that wait for a second person, and those that were decided."""
    return _page(request, DecideForm())


def _page(request: ConsoleRequest, form: DecideForm) -> HttpResponse:
    site_id, me = request.working.site_id, request.person.user_id
    page = paginate(
        request, lambda before_id, limit: list_past_approvals(before_id=before_id, limit=limit)
    )
    asked = list_waiting_approvals()
    customers = list_customers_by_id(
        {each.subject_id for each in asked if each.kind == ABOUT_A_CUSTOMER}
    )
    waiting = [
        (
            each,
            describe_act(each),
            customers.get(each.subject_id) if each.kind == ABOUT_A_CUSTOMER else None,
            each.asked_by_id == me,
            _may(request, each, site_id),
        )
        for each in asked
    ]
    context = {
        "waiting": waiting,
        "withdrawals": _list_withdrawals(request),
        "rows": [(each, describe_act(each), STATE_TONES[each.state]) for each in page.rows],
        "page": page,
        "form": form,
    }
    return show(request, "console/approvals/list.html", context, status=status_of(form))


def _list_withdrawals(request: ConsoleRequest) -> list[tuple[Any, Any, bool]]:
    """Return the withdrawals that wait for a second person, to who reviews them (ADR 0034)."""
    site = request.working
    if not site.is_main or not request.person.can("settlement.review", site.site_id):
        return []
    halves = list_half_approved()
    names = name_sites(half.withdrawal.site_id for half in halves)
    me = request.person.user_id
    return [
        (half, names.get(half.withdrawal.site_id, ""), half.is_closed_to(me)) for half in halves
    ]


def describe_act(approval: Approval) -> Any:
    """Return what shall be done, in words; one without words yet by its code."""
    return ACTS.get(approval.kind, approval.kind)


def _may(request: ConsoleRequest, approval: Approval, site_id: int) -> bool:
    return bool(request.person.can(approval.permission, site_id))


@console_page("orders.view")
@confirmed
def decide(request: ConsoleRequest, site: SiteView, approval_id: int) -> HttpResponse:
    """Approve, refuse or withdraw a wish; the act happens with the approval."""
    url = reverse("console:approvals", args=[site.slug])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    approval = get_approval(approval_id)
    if not _may(request, approval, site.site_id):
        raise PermissionMissing
    form, actor = DecideForm(request.POST), actor_of(request)
    said = run_form(form, lambda: _decide(approval_id, form.cleaned_data, actor))
    return _page(request, form) if said is None else done(request, said, to=url)


def _decide(approval_id: int, data: dict[str, Any], actor: Any) -> str:
    if data["decision"] == "approve":
        approve_wish(approval_id, actor=actor)
        return _("已通过，操作已执行。")
    if data["decision"] == "refuse":
        refuse_wish(approval_id, note=data["note"], actor=actor)
        return _("已拒绝，什么都没有发生。")
    withdraw_wish(approval_id, actor=actor)
    return _("已撤回。")
