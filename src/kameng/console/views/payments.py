"""Payments: the list, one payment with its proof, decisions about wrong amounts, refused calls."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.selectors import list_approvals_about, list_customers_by_id
from kameng.console.answers import done, run_form, status_of
from kameng.console.chips import list_chips, name_days
from kameng.console.errors import PermissionMissing
from kameng.console.forms.days import read_days
from kameng.console.forms.money import AcceptForm, RestForm, VouchForm
from kameng.console.forms.orders import EmptyForm, ReturnForm
from kameng.console.time_line import PaymentPast, payment_lines
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.repairs import ANSWERS
from kameng.core.audit import Actor
from kameng.orders.selectors import get_order
from kameng.payments.errors import PaymentNotFound
from kameng.payments.models import Payment, PaymentState, Purpose, Shortfall, ShortfallState
from kameng.payments.selectors import (
    PaymentFilter,
    find_gateway,
    find_payment_by_no,
    find_proof,
    find_top_up_by_id,
    get_payment,
    list_disputes_of,
    list_gateway_refunds,
    list_gateways,
    list_mismatched,
    list_payments,
    list_rejected_callbacks,
    list_shortfalls_of,
)
from kameng.payments.services.confirming import confirm_by_staff
from kameng.payments.services.deciding import give_back_mismatched, note_returned_by_hand
from kameng.payments.services.second_person import PAYMENT_ACTS
from kameng.payments.services.shortfalls import missing_of
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice, find_text
from kameng.web.pagination import paginate

PAGE_SIZE = 50
VIEWS: dict[str, tuple[Any, int | None]] = {
    "all": (gettext_lazy("全部"), None),
    "confirmed": (gettext_lazy("已支付"), PaymentState.CONFIRMED),
    "open": (gettext_lazy("待支付"), PaymentState.OPEN),
    "mismatched": (gettext_lazy("金额不符或重复"), PaymentState.MISMATCHED),
    "closed": (gettext_lazy("已关闭"), PaymentState.CLOSED),
}
REJECTIONS: dict[str, Any] = {
    "refund_unknown": gettext_lazy("在支付平台退的款，这里没有退款单"),
    "dispute_unknown": gettext_lazy("争议通知里的支付不存在"),
    "payment_unknown": gettext_lazy("通知里的支付单号不存在"),
    "other_gateway": gettext_lazy("支付单不属于这个通道"),
    "external_reused": gettext_lazy("同一个交易号已用在另一笔支付上"),
    "paid_twice": gettext_lazy("已支付的单又来一笔不同的交易"),
    "query_contradicts": gettext_lazy("通道查询与通知不一致，通道已冻结"),
    "query_unanswered": gettext_lazy("大额通知要先查询核实，通道没有回答"),
    "gateway_frozen": gettext_lazy("通道已冻结，不再相信它的通知"),
}


@console_page("orders.view")
def payments(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List attempts to pay, by state or by any printed number."""
    view = find_choice(request, "view", choices=VIEWS, default="all")
    wanted, days = read_payment_filter(request, zone=site.settings.zone), read_days(request.GET)
    page = paginate(
        request,
        lambda before_id, limit: list_payments(wanted, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    kept = {"q": wanted.text, **days.query} if wanted.text else days.query
    names = {gateway.id: gateway.name for gateway in list_gateways()}
    context = {
        "views": [
            (urlencode({"view": key, **kept}), name, key == view)
            for key, (name, _state) in VIEWS.items()
        ],
        "view": view,
        "text": wanted.text,
        "days": days,
        "chips": list_chips(request.GET, [("q", _("搜索"), wanted.text), *name_days(days)]),
        "export_query": urlencode({"view": view, **kept}),
        "page": page,
        "rows": [(payment, names.get(payment.gateway_id, "")) for payment in page.rows],
        "mismatched": list_mismatched(),
    }
    return show(request, "console/payments/list.html", context)


def read_payment_filter(request: HttpRequest, *, zone: ZoneInfo) -> PaymentFilter:
    """Return what the address of the list asks for."""
    days = read_days(request.GET)
    return PaymentFilter(
        state=VIEWS[find_choice(request, "view", choices=VIEWS, default="all")][1],
        text=find_text(request, "q", limit=64),
        created_from=days.since(zone),
        created_until=days.until(zone),
    )


@console_page("orders.view")
def payment(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Show one payment: what was asked, what came, why it counts, what went back."""
    return payment_page(request, get_payment_of_page(payment_no))


def get_payment_of_page(payment_no: str) -> Payment:
    """Return the payment of the site in force that an address names; raise `PaymentNotFound`."""
    found = find_payment_by_no(payment_no[:32])
    if found is None:
        raise PaymentNotFound
    return found


def payer_of(found: Payment) -> int | None:
    """Return the customer whose order or top-up a payment is for; None for a guest."""
    if found.purpose == Purpose.ORDER:
        return get_order(found.subject_id).customer_id
    top_up = find_top_up_by_id(found.subject_id) if found.purpose == Purpose.TOP_UP else None
    return top_up.customer_id if top_up else None


def payment_page(
    request: ConsoleRequest,
    found: Payment,
    *,
    forms: Mapping[str, Form] | None = None,
    problem: str = "",
) -> HttpResponse:
    """Show one payment, or show it again with the form that was refused."""
    order = get_order(found.subject_id) if found.purpose == Purpose.ORDER else None
    top_up = find_top_up_by_id(found.subject_id) if found.purpose == Purpose.TOP_UP else None
    customer_id = payer_of(found)
    refused = next(iter(forms.values())) if forms else ReturnForm()
    refunds = [
        each
        for each in list_gateway_refunds(found.purpose, paid_for=found.subject_id)
        if each.payment_id == found.id
    ]
    past = PaymentPast(
        payment=found,
        proof=find_proof(found.id),
        refunds=refunds,
        disputes=list_disputes_of(found.id),
        shortfall=list_shortfalls_of([found.id]).get(found.id),
    )
    context = {
        "payment": found,
        "gateway": find_gateway(found.gateway_id),
        "proof": past.proof,
        "lines": payment_lines(past),
        "first": get_payment(found.completes_id) if found.completes_id else None,
        "order": order,
        "top_up": top_up,
        "customer": list_customers_by_id({customer_id}).get(customer_id) if customer_id else None,
        "gateway_refunds": refunds,
        "disputes": past.disputes,
        "waiting_approvals": list_approvals_about(PAYMENT_ACTS, about_id=found.id),
        **_choices_of(found, past.shortfall),
        "form": forms.get("return", ReturnForm()) if forms else ReturnForm(),
        "rest_form": (forms or {}).get("rest") or RestForm(),
        "accept_form": (forms or {}).get("accept") or AcceptForm(),
        "vouch_form": (forms or {}).get("vouch") or VouchForm(),
        "refused": refused,
        "open_dialog": next(iter(forms)) if forms else "",
        "problem": problem,
    }
    return show(request, "console/payments/detail.html", context, status=status_of(refused))


def _choices_of(found: Payment, shortfall: Shortfall | None) -> dict[str, object]:
    """Return what a person may decide about a payment as it stands."""
    left = (found.received_amount or 0) - found.refunded_amount - found.disputed_amount
    is_open = found.state in {PaymentState.OPEN, PaymentState.CLOSED}
    is_odd = found.state == PaymentState.MISMATCHED and left > 0 and not found.open_disputes
    untouched = is_odd and not found.refunded_amount and not found.is_second
    difference = (found.received_amount or 0) - found.amount
    missing = missing_of(found)
    is_asked = shortfall is not None and shortfall.state == ShortfallState.OPEN
    return {
        "missing_amount": missing,
        "shortfall": shortfall,
        "can_ask_rest": untouched and missing > 0 and not is_asked,
        "left_amount": left,
        "can_query": is_open,
        "can_return": is_odd,
        "can_take_short": untouched and difference < 0,
        "can_take_over": untouched and difference > 0,
        "can_return_surplus": found.surplus_left_amount > 0 and not found.open_disputes,
        "difference_amount": abs(difference),
        "can_dispute": found.received_amount is not None,
    }


@console_page("orders.repair")
def query_payment(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Ask the gateway about a payment and confirm it if it was made."""
    url = reverse("console:payment", args=[site.slug, payment_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found = get_payment_of_page(payment_no)
    form = EmptyForm(request.POST)
    status = run_form(form, lambda: confirm_by_staff(payment_id=found.id, actor=actor_of(request)))
    if status is None:
        problem = str(form.non_field_errors()[0])
        return payment_page(request, found, forms={"query": form}, problem=problem)
    return done(request, str(ANSWERS[status]), to=url)


@console_page("orders.view")
def return_payment(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Give back whole a payment whose amount was wrong, or that was made twice."""
    url = reverse("console:payment", args=[site.slug, payment_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    if not request.person.can("orders.refund", site.site_id):
        raise PermissionMissing
    found = get_payment_of_page(payment_no)
    form = ReturnForm(request.POST)
    text = run_form(form, lambda: _give_back(found, form.cleaned_data, actor_of(request)))
    if text is None:
        return payment_page(request, found, forms={"return": form})
    return done(request, text, to=url)


def _give_back(found: Payment, data: Mapping[str, Any], actor: Actor) -> str:
    if data["way"] == "hand":
        asked = note_returned_by_hand(payment_id=found.id, reason=data["reason"], actor=actor)
        if asked is not None:
            return _("金额超过门槛，已提交复核，等另一位同事处理。")
        return _("已记账：这笔钱线下退给了客户。")
    refund = give_back_mismatched(payment_id=found.id, reason=data["reason"], actor=actor)
    text = _("已请支付通道退回 ¥%(amount)s，到账后这里会更新。")
    return text % {"amount": format_yuan(Amount(refund.amount))}


@console_page("audit.view")
def rejected_callbacks(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List callbacks that were refused: forged, unknown, or contradicting the gateway itself."""
    names = {gateway.id: gateway.name for gateway in list_gateways()}
    rows = [
        (row, names.get(row.gateway_id, ""), REJECTIONS.get(row.code, _("签名或内容不正确")))
        for row in list_rejected_callbacks()
    ]
    return show(request, "console/payments/rejected.html", {"rows": rows})
