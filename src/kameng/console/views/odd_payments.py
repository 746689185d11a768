"""Payments that a person decides about: of another amount, made twice, or with a surplus left."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.console.answers import done, run_form
from kameng.console.errors import PermissionMissing
from kameng.console.forms.money import AcceptForm, RestForm, VouchForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.payments import get_payment_of_page, payer_of, payment_page
from kameng.core.audit import Actor
from kameng.orders.services.shortfalls import ask_rest
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.selectors import (
    list_gateways,
    list_mismatched,
    list_shortfalls_of,
    list_surpluses,
)
from kameng.payments.services.accepting import (
    SurplusWish,
    accept_short,
    accept_surplus,
    return_surplus,
)
from kameng.payments.services.shortfalls import ShortfallWish
from kameng.payments.services.vouching import Vouched, Voucher, vouch_payment
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import SiteView

WAITING = "approval"


@console_page("orders.view")
def odd_payments(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the payments that wait for a decision, with what differs and what can be done."""
    names = {gateway.id: gateway.name for gateway in list_gateways()}
    found = [*list_mismatched(200), *list_surpluses(200)]
    asked = list_shortfalls_of([payment.id for payment in found])
    rows = [
        {
            "payment": payment,
            "case": case_of(payment),
            "difference": difference_of(payment),
            "name": names.get(payment.gateway_id, ""),
            "shortfall": asked.get(payment.id),
        }
        for payment in found
    ]
    return show(request, "console/payments/odd.html", {"rows": rows})


def case_of(payment: Payment) -> str:
    """Return what is odd about a payment: over, short, second, surplus or full (a wallet)."""
    if payment.state == PaymentState.CONFIRMED:
        return "surplus"
    if payment.is_second:
        return "full" if payment.purpose == Purpose.TOP_UP else "second"
    return "over" if (payment.received_amount or 0) > payment.amount else "short"


def difference_of(payment: Payment) -> int:
    """Return how much more (or, below zero, less) came than was asked for and is left."""
    if payment.state == PaymentState.CONFIRMED:
        return int(payment.surplus_left_amount)
    return int((payment.received_amount or 0) - payment.amount)


@console_page("orders.view")
@confirmed
def accept_payment(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Deliver for a payment of another amount, or give back a surplus that was left."""
    url = reverse("console:payment", args=[site.slug, payment_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    if not request.person.can("orders.refund", site.site_id):
        raise PermissionMissing
    found, form = get_payment_of_page(payment_no), AcceptForm(request.POST)
    said = run_form(form, lambda: _accept(found, form.cleaned_data, actor_of(request)))
    if said is None:
        return payment_page(request, found, forms={"accept": form})
    return done(request, said, to=url)


@console_page("orders.view")
@confirmed
def ask_for_rest(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Ask the buyer of a short payment for the rest, for some hours."""
    url = reverse("console:payment", args=[site.slug, payment_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    if not request.person.can("orders.refund", site.site_id):
        raise PermissionMissing
    found, form = get_payment_of_page(payment_no), RestForm(request.POST)
    said = run_form(form, lambda: _ask(found, form.cleaned_data, actor_of(request)))
    if said is None:
        return payment_page(request, found, forms={"rest": form})
    return done(request, said, to=url)


def _ask(found: Payment, data: Mapping[str, Any], actor: Actor) -> str:
    wish = ShortfallWish(hold_seconds=data["hours"] * 3600, reason=data["reason"])
    made = ask_rest(payment_id=found.id, wish=wish, actor=actor)
    told = {"amount": format_yuan(Amount(made.missing_amount))}
    return _("已通知买家补 ¥%(amount)s，补齐后自动发货；到时没有补，已付的自动退回。") % told


def _accept(found: Payment, data: Mapping[str, Any], actor: Actor) -> str:
    case = case_of(found)
    if case == "short":
        asked = accept_short(payment_id=found.id, reason=data["reason"], actor=actor)
        text = _("差额由店铺承担，已按付清处理。")
    else:
        wish = SurplusWish(
            way=data["way"] or "source", reason=data["reason"], customer_id=payer_of(found)
        )
        act = return_surplus if case == "surplus" else accept_surplus
        asked = act(payment_id=found.id, wish=wish, actor=actor)
        text = _("多付的钱已按您的选择处理。")
    return text if asked is None else _("金额超过门槛，已提交复核，等另一位同事处理。")


@console_page("payments.confirm")
@confirmed
def vouch(request: ConsoleRequest, site: SiteView, payment_no: str) -> HttpResponse:
    """Confirm a payment on evidence, after its gateway was asked."""
    url = reverse("console:payment", args=[site.slug, payment_no])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found, form = get_payment_of_page(payment_no), VouchForm(request.POST)
    said = run_form(form, lambda: _vouch(found, form.cleaned_data, actor_of(request)))
    if said is None:
        return payment_page(request, found, forms={"vouch": form})
    return done(request, said, to=url)


def _vouch(found: Payment, data: Mapping[str, Any], actor: Actor) -> str:
    voucher = Voucher(evidence=data["evidence"], external_no=data["external_no"])
    return {
        Vouched.BY_GATEWAY: _("支付通道说已收款，付款已确认，订单已更新。"),
        Vouched.BY_STAFF: _("已按您的证据确认收款，订单已更新。"),
        Vouched.WAITING: _("金额超过门槛，已提交复核，等另一位同事处理。"),
    }[vouch_payment(payment_id=found.id, voucher=voucher, actor=actor)]
