"""Paying an unpaid order: QR, link or form of the gateway, another way, the wallet, or giving up.

The gateway is asked outside any transaction and its first answer is kept. Coming back from it
proves nothing: the page says "confirming" and waits for the verified callback.
"""

from typing import Any

import segno
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.core.errors import Refusal
from kameng.orders.errors import NotAllowedNow, SignInNeeded
from kameng.orders.models import Order, OrderState
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.paying import begin_payment, pay_from_wallet
from kameng.payments.errors import GatewayAway, GatewayNotUsable, PaymentClosed
from kameng.payments.models import Payment, Purpose
from kameng.payments.providers.port import PayInstruction
from kameng.payments.selectors import find_open_payment, list_odd_payments
from kameng.payments.services.paying import Payer
from kameng.storefront.addresses import next_address, order_address
from kameng.storefront.forms import device_of, read_text
from kameng.storefront.frame import absolute_url, answer_personal, keep_private, see_other
from kameng.storefront.odd_payments import describe_odd_payments
from kameng.storefront.opening import open_for, read_token
from kameng.storefront.paychoices import (
    find_way,
    list_pay_options,
    open_purse,
    read_part,
    read_pay_choice,
)
from kameng.web.csp import allow_form_target
from kameng.web.flash import flash
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest, actor_of

NOTIFY_PATH = "/notify/"


@require_safe
def pay(request: KamengRequest, order_no: str) -> HttpResponse:
    """Show how to pay; an order that is not unpaid any more leads on to its own page."""
    order = open_for(request, order_no)
    if order.state != OrderState.AWAITING_PAYMENT:
        return _lead_on(request, order)
    problem = ""
    instruction: PayInstruction | None = None
    payment = find_open_payment(Purpose.ORDER, paid_for=order.id)
    way = find_way(request, payment.gateway_id) if payment is not None else None
    if way is not None:
        try:
            instruction = begin_payment(order=order, payer=payer_of(request, order_no))
        except (GatewayAway, GatewayNotUsable) as refusal:
            problem = refusal.text()
        except (NotAllowedNow, PaymentClosed):  # paid or given up while we looked
            order, way = open_for(request, order_no), None
            if order.state != OrderState.AWAITING_PAYMENT:
                return _lead_on(request, order)
    shown = payment if way is not None else None
    return _page(request, order, instruction, payment=shown, problem=problem)


def _page(
    request: KamengRequest,
    order: Order,
    instruction: PayInstruction | None,
    *,
    payment: Payment | None,
    problem: str = "",
) -> HttpResponse:
    way = find_way(request, payment.gateway_id) if payment is not None else None
    token = read_token(request)
    names = {"order_no": order.order_no, "token": token}
    odd = describe_odd_payments(Purpose.ORDER, paid_for=order.id)
    is_returned = "returned" in request.GET and not odd
    waits = {"r": "1"} if is_returned else {}
    context = {
        **instruction_context(request, instruction),
        "order": order,
        "token": token,
        "way": way,
        "problem": problem,
        "odd_payments": odd,
        "is_returned": is_returned,
        **_sums(request, order, payment=payment),
        "status_url": order_address("pay_status", **names, s=order.state, **waits),
        "go_url": order_address("pay_go", order_no=order.order_no, token=""),
        "cancel_url": order_address("pay_cancel", order_no=order.order_no, token=""),
        "product_url": reverse("storefront:product", args=(order.product_id,)),
        "tab": "orders",
    }
    response = answer_personal(request, "storefront/pay.html", context)
    if instruction is not None and instruction.kind == "form":
        allow_form_target(response, instruction.url)
    return response


def _sums(request: KamengRequest, order: Order, *, payment: Payment | None) -> dict[str, Any]:
    """Return what is to be paid, what of it the wallet pays, and what else may be chosen."""
    reserved = order.wallet_amount
    purse = open_purse(request, order.total_amount, is_ticked=reserved > 0, reserved=reserved)
    offer = purse.offer if purse is not None else None
    # With a part of the wallet in play, the same gateway may be chosen anew for another sum.
    gateway_id = payment.gateway_id if payment is not None else 0
    may_stay = offer is not None or reserved > 0
    return {
        "pay_amount": payment.amount if payment is not None else order.total_amount - reserved,
        "surcharge_amount": payment.surcharge_amount if payment is not None else 0,
        "part_offer": offer,
        "pay_options": list_pay_options(
            request,
            order.total_amount,
            chosen=str(gateway_id) if may_stay else "",
            without=0 if may_stay else gateway_id,
            purse=purse,
        ),
    }


@require_POST
def pay_go(request: KamengRequest, order_no: str) -> HttpResponse:
    """Pay by another way: from the wallet at once, or by a gateway on the page that follows."""
    order = open_for(request, order_no)
    if order.state != OrderState.AWAITING_PAYMENT:
        return _lead_on(request, order)
    token = read_token(request)
    try:
        part = read_part(request, request.POST)
        choice = read_pay_choice(
            request,
            read_text(request.POST, "pay", limit=20),
            amount=max(order.total_amount - part, 0),
        )
        if choice is None:
            customer_id = request.person.customer_id
            if customer_id is None:
                raise SignInNeeded
            pay_from_wallet(order=order, customer_id=customer_id)
        else:
            payer = payer_of(request, order_no)
            begin_payment(order=order, payer=payer, choice=choice, wallet_part=part)
    except Refusal as refusal:
        page = _page(request, order, None, payment=None, problem=refusal.text())
        page.status_code = refusal.status
        return page
    route = "order" if choice is None else "pay"
    return keep_private(see_other(order_address(route, order_no=order_no, token=token)))


@open_when_suspended
@require_safe
def pay_status(request: KamengRequest, order_no: str) -> JsonResponse:
    """Tell where the order stands; `s` in the address is the state that the page shows."""
    order = open_for(request, order_no)
    state = OrderState(order.state)
    answer: dict[str, object] = {"state": state.name.lower(), "reload": False}
    if "r" in request.GET and state == OrderState.AWAITING_PAYMENT:
        # Who came back from the gateway waits for the word that his money was of another amount.
        answer["reload"] = bool(list_odd_payments(Purpose.ORDER, paid_for=order.id))
    answer["url"] = next_address(order_no=order_no, token=read_token(request), state=order.state)
    if request.GET.get("s") != str(order.state):
        answer["next_url"] = answer["url"]
    response = JsonResponse(answer)
    keep_private(response)
    return response


@require_POST
def pay_cancel(request: KamengRequest, order_no: str) -> HttpResponse:
    """Give up an unpaid order; what it held goes back on the shelf."""
    order = open_for(request, order_no)
    try:
        cancel_order(order=order, actor=actor_of(request))
    except Refusal as refusal:
        flash(request, refusal.text(), "error")
    else:
        flash(request, _("订单已取消，没有扣款"))
    url = order_address("order", order_no=order_no, token=read_token(request))
    return keep_private(see_other(url))


def payer_of(request: KamengRequest, order_no: str) -> Payer:
    """Return where the buyer stands and where the gateway sends word and the buyer back to."""
    back = order_address("pay", order_no=order_no, token=read_token(request), returned=1)
    return make_payer(request, back=back)


def make_payer(request: KamengRequest, *, back: str) -> Payer:
    """Return a payer who comes back to a path of this shop."""
    return Payer(
        client_ip=request.client_ip,
        device=device_of(request),
        notify_url=absolute_url(request, NOTIFY_PATH),
        return_url=absolute_url(request, back),
    )


def instruction_context(
    request: KamengRequest, instruction: PayInstruction | None
) -> dict[str, Any]:
    """Return what a pay page shows of a gateway's instruction."""
    context: dict[str, Any] = {"is_pc": device_of(request) == "pc"}
    if instruction is None:
        return context
    if instruction.kind == "qr":
        context["qr_svg"] = draw_qr(instruction.qr_text)
        if instruction.qr_text.startswith(("http://", "https://")):
            context["pay_url"] = instruction.qr_text
    elif instruction.kind == "redirect":
        context["pay_url"] = instruction.url
    else:
        context["pay_form"] = instruction
    return context


def draw_qr(text: str) -> SafeString:
    """Draw a QR code as an SVG without any style of its own but its colours."""
    code = segno.make(text, error="m", micro=False)
    svg = code.svg_inline(
        border=0,
        dark="#141a26",
        omitsize=True,
        svgclass=None,
        lineclass=None,
        title=_("付款二维码"),
    )
    return mark_safe(str(svg))  # noqa: S308 - made of numbers


def _lead_on(request: KamengRequest, order: Order) -> HttpResponse:
    url = order_address("order", order_no=order.order_no, token=read_token(request))
    return keep_private(see_other(url))
