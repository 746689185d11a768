"""Paying the rest of an order that was paid short: what came, what is missing, and any way to pay.

As the pay page, by attempts of their own; nothing but the missing sum is asked for.
"""

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from kameng.core.errors import Refusal
from kameng.orders.errors import NotAllowedNow, SignInNeeded
from kameng.orders.models import Order
from kameng.orders.services.shortfalls import (
    Rest,
    begin_rest,
    choose_rest,
    find_rest,
    pay_rest_from_wallet,
)
from kameng.payments.errors import (
    GatewayAway,
    GatewayNotUsable,
    PayerUnknown,
    PaymentClosed,
    ShortfallOver,
    WrongDevice,
)
from kameng.payments.services.paying import Payer
from kameng.storefront.addresses import order_address
from kameng.storefront.cashier import (
    guide_elsewhere,
    instruction_context,
    let_form_go,
    make_payer,
)
from kameng.storefront.forms import read_text
from kameng.storefront.frame import answer_personal, comes_back, keep_private, see_other
from kameng.storefront.opening import open_for, read_token
from kameng.storefront.paychoices import (
    Offer,
    find_way,
    list_pay_options,
    open_purse,
    read_pay_choice,
)
from kameng.storefront.payers import ask_payer
from kameng.storefront.views.paying import Told
from kameng.web.requests import KamengRequest


@comes_back
@require_safe
def rest(request: KamengRequest, order_no: str) -> HttpResponse:
    """Show how to pay the rest; when nobody is asked for it, the order itself."""
    order = open_for(request, order_no)
    found = find_rest(order)
    if found is None:
        return _lead_on(request, order)
    way = find_way(request, found.attempt.gateway_id) if found.attempt is not None else None
    if way is None:
        return _page(request, order, found, Told())
    try:
        opened = begin_rest(order=order, view=request.site, payer=_payer_of(request, order_no))
    except PayerUnknown as refusal:
        return _find_payer(request, order, found, refusal)
    except WrongDevice as refusal:
        told = Told(way=way, payment=found.attempt, problem=refusal.text(), is_elsewhere=True)
        return _page(request, order, found, told)
    except (GatewayAway, GatewayNotUsable) as refusal:
        return _page(request, order, found, Told(problem=refusal.text()))
    except (NotAllowedNow, PaymentClosed, ShortfallOver):  # paid or over while we looked
        return _lead_on(request, order)
    told = Told(way=way, payment=opened.payment, instruction=opened.instruction)
    return _page(request, order, found, told)


def _find_payer(
    request: KamengRequest, order: Order, found: Rest, refusal: PayerUnknown
) -> HttpResponse:
    """Send the buyer to say who he is; once asked in vain, let him choose anew."""
    if found.attempt is None or "payer" in request.GET:
        return _page(request, order, found, Told(problem=refusal.text()))
    back = order_address("pay_rest", order_no=order.order_no, token=read_token(request))
    try:
        return ask_payer(request, gateway_id=found.attempt.gateway_id, back=back)
    except GatewayNotUsable as unusable:
        return _page(request, order, found, Told(problem=unusable.text()))


def _page(request: KamengRequest, order: Order, found: Rest, told: Told) -> HttpResponse:
    way, instruction = told.way, told.instruction
    names = {"order_no": order.order_no, "token": read_token(request)}
    guidance = None
    if told.is_elsewhere and way is not None:
        guidance = guide_elsewhere(request, way, path=order_address("pay_rest", **names))
    missing = found.shortfall.missing_amount
    context = {
        **instruction_context(request, instruction),
        "order": order,
        "token": names["token"],
        "way": way,
        "guidance": guidance,
        "problem": "" if guidance is not None else told.problem,
        "is_returned": "returned" in request.GET,
        "missing_amount": missing,
        "received_amount": found.first.received_amount,
        "expires_at": found.shortfall.expires_at,
        "pay_options": list_pay_options(
            request,
            missing,
            Offer(
                without=way.way_key if way is not None else 0,
                seed=order.order_no,
                purse=open_purse(request, missing, is_ticked=False),
                has_fee=False,
            ),
        ),
        "status_url": order_address("pay_status", **names, s=order.state),
        "go_url": order_address("pay_rest_go", order_no=order.order_no, token=""),
        "order_url": order_address("order", **names),
        "tab": "orders",
    }
    response = answer_personal(request, "storefront/rest.html", context)
    return let_form_go(response, instruction)


@require_POST
def rest_go(request: KamengRequest, order_no: str) -> HttpResponse:
    """Pay the rest by a way: from the wallet at once, or by a gateway on the page that follows."""
    order = open_for(request, order_no)
    found = find_rest(order)
    if found is None:
        return _lead_on(request, order)
    try:
        route = _go(request, order, found)
    except (PayerUnknown, WrongDevice):
        route = "pay_rest"  # the page that follows asks, or shows the way to where it works
    except Refusal as refusal:
        page = _page(request, order, found, Told(problem=refusal.text()))
        page.status_code = refusal.status
        return page
    url = order_address(route, order_no=order_no, token=read_token(request))
    return keep_private(see_other(url))


def _go(request: KamengRequest, order: Order, found: Rest) -> str:
    """Do what was chosen; return the page that follows."""
    choice = read_pay_choice(
        request,
        read_text(request.POST, "pay", limit=20),
        amount=found.shortfall.missing_amount,
        seed=order.order_no,
    )
    if choice is None:
        if order.customer_id is None or request.person.customer_id != order.customer_id:
            raise SignInNeeded
        pay_rest_from_wallet(order=order)
        return "order"
    if choice.is_elsewhere:
        choose_rest(order=order, choice=choice)
        return "pay_rest"
    payer = _payer_of(request, order.order_no)
    begin_rest(order=order, view=request.site, payer=payer, choice=choice)
    return "pay_rest"


def _payer_of(request: KamengRequest, order_no: str) -> Payer:
    back = order_address("pay_rest", order_no=order_no, token=read_token(request), returned=1)
    return make_payer(request, back=back)


def _lead_on(request: KamengRequest, order: Order) -> HttpResponse:
    url = order_address("order", order_no=order.order_no, token=read_token(request))
    return keep_private(see_other(url))
