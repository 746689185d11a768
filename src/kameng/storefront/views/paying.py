"""Paying an unpaid order: QR, link or form of the gateway, another way, the wallet, or giving up.

The gateway is asked outside any transaction and its first answer is kept. Coming back from it
proves nothing: the page says "confirming" and waits for the verified callback.
"""

from dataclasses import dataclass

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.catalog.models import DeliveryKind
from kameng.core.errors import Refusal
from kameng.orders.errors import NotAllowedNow, SignInNeeded
from kameng.orders.models import Order, OrderState
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.paying import begin_payment, choose_attempt, pay_from_wallet
from kameng.orders.services.shortfalls import find_rest
from kameng.payments.errors import (
    GatewayAway,
    GatewayNotUsable,
    PayerUnknown,
    PaymentClosed,
    WrongDevice,
)
from kameng.payments.models import Payment, Purpose
from kameng.payments.providers.port import PayInstruction
from kameng.payments.selectors import PayChoice, find_open_payment, list_odd_payments
from kameng.payments.services.paying import Payer
from kameng.storefront.addresses import next_address, order_address
from kameng.storefront.cashier import (
    guide_elsewhere,
    instruction_context,
    let_form_go,
    make_payer,
)
from kameng.storefront.forms import read_text
from kameng.storefront.frame import answer_personal, comes_back, keep_private, see_other
from kameng.storefront.odd_payments import describe_odd_payments
from kameng.storefront.opening import open_for, read_token
from kameng.storefront.paychoices import (
    Offer,
    find_way,
    list_pay_options,
    open_purse,
    read_part,
    read_pay_choice,
)
from kameng.storefront.payers import ask_payer, keep_payers, take_payer
from kameng.web.cookies import safe_next
from kameng.web.devices import DEVICE_COOKIE
from kameng.web.flash import flash
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest, actor_of


@comes_back
@require_safe
def pay(request: KamengRequest, order_no: str) -> HttpResponse:
    """Show how to pay; an order that is not unpaid any more leads on to its own page."""
    order = open_for(request, order_no)
    if order.state != OrderState.AWAITING_PAYMENT:
        return _lead_on(request, order)
    if find_rest(order) is not None:  # paid short: only the rest is to be paid, on its own page
        url = order_address("pay_rest", order_no=order_no, token=read_token(request))
        return keep_private(see_other(url))
    payment = find_open_payment(Purpose.ORDER, paid_for=order.id)
    way = find_way(request, payment.gateway_id) if payment is not None else None
    if way is None:
        return _page(request, order, Told())
    try:
        opened = begin_payment(order=order, view=request.site, payer=payer_of(request, order_no))
    except PayerUnknown as refusal:
        return _find_payer(request, order, refusal)
    except WrongDevice as refusal:
        told = Told(way=way, payment=payment, problem=refusal.text(), is_elsewhere=True)
        return _page(request, order, told)
    except (GatewayAway, GatewayNotUsable) as refusal:
        return _page(request, order, Told(problem=refusal.text()))
    except (NotAllowedNow, PaymentClosed):  # paid or given up while we looked
        order = open_for(request, order_no)
        if order.state != OrderState.AWAITING_PAYMENT:
            return _lead_on(request, order)
        return _page(request, order, Told())
    told = Told(way=way, payment=opened.payment, instruction=opened.instruction)
    return _page(request, order, told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of asking a gateway: where to pay, or why not."""

    way: PayChoice | None = None
    payment: Payment | None = None  # the attempt that the way stands for
    instruction: PayInstruction | None = None
    problem: str = ""
    is_elsewhere: bool = False


def _find_payer(request: KamengRequest, order: Order, refusal: PayerUnknown) -> HttpResponse:
    """Send the buyer to say who he is; once asked in vain, let him try again or choose anew."""
    payment = find_open_payment(Purpose.ORDER, paid_for=order.id)
    if payment is None or "payer" in request.GET:
        return _page(request, order, Told(problem=refusal.text()))
    back = order_address("pay", order_no=order.order_no, token=read_token(request))
    try:
        return ask_payer(request, gateway_id=payment.gateway_id, back=back)
    except GatewayNotUsable as unusable:
        return _page(request, order, Told(problem=unusable.text()))


def _page(request: KamengRequest, order: Order, told: Told) -> HttpResponse:
    way, instruction = told.way, told.instruction
    token = read_token(request)
    names = {"order_no": order.order_no, "token": token}
    odd = describe_odd_payments(Purpose.ORDER, paid_for=order.id)
    is_returned = "returned" in request.GET and not odd
    waits = {"r": "1"} if is_returned else {}
    guidance = None
    if told.is_elsewhere and way is not None:
        guidance = guide_elsewhere(request, way, path=order_address("pay", **names))
    context = {
        **instruction_context(request, instruction),
        "order": order,
        "token": token,
        "way": way,
        "guidance": guidance,
        "problem": "" if guidance is not None else told.problem,
        "odd_payments": odd,
        "is_returned": is_returned,
        **_sums(request, order, told),
        "status_url": order_address("pay_status", **names, s=order.state, **waits),
        "go_url": order_address("pay_go", order_no=order.order_no, token=""),
        "cancel_url": order_address("pay_cancel", order_no=order.order_no, token=""),
        "product_url": reverse("storefront:plans")
        if order.delivery_kind == DeliveryKind.SITE_PLAN
        else reverse("storefront:product", args=(order.product_id,)),
        "tab": "orders",
    }
    response = answer_personal(request, "storefront/pay.html", context)
    return let_form_go(response, instruction)


def _sums(request: KamengRequest, order: Order, told: Told) -> dict[str, object]:
    """Return what is to be paid, what of it the wallet pays, and what else may be chosen."""
    reserved, payment = order.wallet_amount, told.payment
    purse = open_purse(request, order.total_amount, is_ticked=reserved > 0, reserved=reserved)
    offer = purse.offer if purse is not None else None
    way_key = told.way.way_key if told.way is not None else 0
    # With a part of the wallet in play, the same way may be chosen anew for another sum.
    may_stay = offer is not None or reserved > 0
    return {
        "pay_amount": payment.amount if payment is not None else order.total_amount - reserved,
        "surcharge_amount": payment.surcharge_amount if payment is not None else 0,
        "part_offer": offer,
        "pay_options": list_pay_options(
            request,
            order.total_amount,
            Offer(
                chosen=str(way_key) if may_stay else "",
                without=0 if may_stay else way_key,
                seed=order.order_no,
                purse=purse,
            ),
        ),
    }


@require_POST
def pay_go(request: KamengRequest, order_no: str) -> HttpResponse:
    """Pay by another way: from the wallet at once, or by a gateway on the page that follows."""
    order = open_for(request, order_no)
    if order.state != OrderState.AWAITING_PAYMENT:
        return _lead_on(request, order)
    try:
        route = _go(request, order)
    except (PayerUnknown, WrongDevice):
        route = "pay"  # the page that follows asks, or shows the way to where it works
    except Refusal as refusal:
        page = _page(request, order, Told(problem=refusal.text()))
        page.status_code = refusal.status
        return page
    url = order_address(route, order_no=order_no, token=read_token(request))
    return keep_private(see_other(url))


def _go(request: KamengRequest, order: Order) -> str:
    """Do what was chosen; return the page that follows."""
    part = read_part(request, request.POST)
    choice = read_pay_choice(
        request,
        read_text(request.POST, "pay", limit=20),
        amount=max(order.total_amount - part, 0),
        seed=order.order_no,
    )
    if choice is None:
        customer_id = request.person.customer_id
        if customer_id is None:
            raise SignInNeeded
        pay_from_wallet(order=order, customer_id=customer_id)
        return "order"
    if choice.is_elsewhere:
        choose_attempt(order=order, choice=choice, wallet_part=part)
        return "pay"
    payer = payer_of(request, order.order_no)
    begin_payment(order=order, view=request.site, payer=payer, choice=choice, wallet_part=part)
    return "pay"


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


@require_safe
def payer(request: KamengRequest) -> HttpResponse:
    """Come back from a gateway that was asked who pays, and go on to pay."""
    path, found = take_payer(request)
    response = keep_private(see_other(path))
    keep_payers(request, response, found)
    return response


@require_POST
def device(request: KamengRequest) -> HttpResponse:
    """Keep what a buyer says he holds, where it was taken for something else; back to the page."""
    response = keep_private(see_other(safe_next(request, default=reverse("storefront:home"))))
    told = read_text(request.POST, "device", limit=10)
    if told in {"pc", "mobile"}:
        response.set_cookie(
            DEVICE_COOKIE, told, max_age=86_400, samesite="Lax", secure=request.is_secure()
        )
    return response


def _lead_on(request: KamengRequest, order: Order) -> HttpResponse:
    url = order_address("order", order_no=order.order_no, token=read_token(request))
    return keep_private(see_other(url))
