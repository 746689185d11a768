"""What is the customer's own: overview, orders, wallet with top-ups, messages, security."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from kameng.accounts.selectors import get_customer, list_sessions
from kameng.accounts.services.registering import change_customer_password, rename_customer
from kameng.accounts.services.sessions import (
    close_other_sessions,
    close_session_by_handle,
    renew_session,
)
from kameng.core.errors import Refusal
from kameng.core.ids import new_token
from kameng.ledger.selectors import list_wallet_lines, wallet_amount
from kameng.messaging.selectors import count_unread, list_inbox
from kameng.messaging.services import mark_inbox_read
from kameng.orders.models import OrderState
from kameng.orders.selectors import list_customer_orders
from kameng.payments.errors import (
    GatewayAway,
    GatewayNotUsable,
    PayerUnknown,
    PaymentClosed,
    TopUpAmountInvalid,
    WalletFull,
    WrongDevice,
)
from kameng.payments.models import Payment, Purpose, TopUp
from kameng.payments.selectors import (
    find_open_payment,
    find_top_up,
    list_customer_returns,
    list_returns_of,
    list_top_ups,
)
from kameng.payments.services.bonuses import list_tiers_for
from kameng.payments.services.crediting import cap_of, room_of
from kameng.payments.services.paying import reopen_top_up, start_top_up
from kameng.payments.services.returning import ReturnWish, list_returnable, return_top_up
from kameng.payments.services.routing import lead_to_account
from kameng.pricing.money import Amount, MoneyInvalid, format_yuan, parse_fen_yuan
from kameng.risk.services import admit_password_change, admit_top_up
from kameng.storefront.cashier import guide_elsewhere, instruction_context, let_form_go, make_payer
from kameng.storefront.errors import FormInvalid, KeyMissing, PayMissing, TopUpNotFound
from kameng.storefront.forms import TYPED_CHARS, is_key, read_secret, read_text
from kameng.storefront.frame import (
    answer_personal,
    comes_back,
    customer_id_of,
    customer_page,
    keep_private,
    see_other,
)
from kameng.storefront.odd_payments import describe_odd_payments
from kameng.storefront.paychoices import find_way, list_top_up_options, read_pay_choice
from kameng.storefront.payers import ask_payer
from kameng.storefront.rows import make_rows
from kameng.storefront.unread import forget_unread
from kameng.tenancy.closing import closing_refusal
from kameng.web.agents import describe_agent
from kameng.web.answers import wants_json
from kameng.web.cookies import give_session, session_token
from kameng.web.flash import flash
from kameng.web.middleware.people import open_when_suspended
from kameng.web.pagination import paginate
from kameng.web.requests import KamengRequest, actor_of

RECENT: Final = 3
RETURNS_SHOWN: Final = 5
ORDER_GROUPS: Final[dict[str, tuple[int, ...]]] = {
    "": (),
    "unpaid": (OrderState.AWAITING_PAYMENT,),
    "waiting": (OrderState.AWAITING_DELIVERY,),
    "done": (OrderState.DELIVERED,),
    "refund": (OrderState.REFUNDING, OrderState.REFUNDED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletLine:
    """One line of the statement, with the key by which lists go on."""

    id: int
    name: str
    amount: int
    created_at: Any


@open_when_suspended
@require_safe
@customer_page
def account(request: KamengRequest) -> HttpResponse:
    """Show the customer's overview."""
    customer_id = customer_id_of(request)
    orders_url = reverse("storefront:orders")
    context = {
        "login_hint": get_customer(customer_id).login_hint,
        "wallet_amount": wallet_amount(customer_id),
        "unread_count": count_unread(customer_id),
        "rows": make_rows(request.site, list_customer_orders(customer_id, limit=RECENT)),
        "order_links": [
            {"url": f"{orders_url}?state=unpaid", "icon": "wallet", "name": _("待付款")},
            {"url": f"{orders_url}?state=waiting", "icon": "hourglass", "name": _("处理中")},
            {"url": f"{orders_url}?state=done", "icon": "circle-check", "name": _("已完成")},
            {"url": f"{orders_url}?state=refund", "icon": "receipt-refund", "name": _("退款")},
        ],
        "tab": "me",
    }
    return answer_personal(request, "storefront/account.html", context)


@open_when_suspended
@require_safe
@customer_page
def orders(request: KamengRequest) -> HttpResponse:
    """List the customer's orders by what they wait for."""
    customer_id = customer_id_of(request)
    group = request.GET.get("state", "")
    group = group if group in ORDER_GROUPS else ""
    page = paginate(
        request,
        lambda before_id, limit: list_customer_orders(
            customer_id, states=ORDER_GROUPS[group], before_id=before_id, limit=limit
        ),
    )
    context = {
        "rows": make_rows(request.site, page.rows),
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "empty_title": _("这里没有订单") if group else _("还没有订单"),
        "tabs": _order_tabs(request.path, group),
        "tab": "orders",
    }
    return answer_personal(request, "storefront/orders.html", context)


def _order_tabs(path: str, group: str) -> list[dict[str, object]]:
    names = {
        "": _("全部"),
        "unpaid": _("待付款"),
        "waiting": _("处理中"),
        "done": _("已完成"),
        "refund": _("退款"),
    }
    return [
        {"url": f"?state={key}" if key else path, "name": name, "is_on": key == group}
        for key, name in names.items()
    ]


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def wallet(request: KamengRequest) -> HttpResponse:
    """Show balance and statement, or begin a top-up: 303 to its page."""
    if request.method != "POST":
        return _wallet_page(request, key=new_token())
    typed = read_text(request.POST, "amount", limit=20)
    key = read_text(request.POST, "idempotency_key", limit=TYPED_CHARS)
    try:
        if not is_key(key):
            raise KeyMissing
        top_up = _start(request, typed, key)
    except Refusal as refusal:
        if wants_json(request):
            raise
        return _wallet_page(request, key=new_token(), refusal=refusal, typed=typed)
    return keep_private(see_other(reverse("storefront:top_up", args=(top_up.top_up_no,))))


def _start(request: KamengRequest, typed: str, key: str) -> TopUp:
    refusal = closing_refusal(request.site)
    if refusal is not None:  # the wallet may be looked at, not filled
        raise refusal
    try:
        amount = parse_fen_yuan(typed)
    except MoneyInvalid:
        low, high = format_yuan(Amount(10_000)), format_yuan(Amount(50_000_000))
        raise TopUpAmountInvalid(low=low, high=high) from None
    pay = read_text(request.POST, "pay", limit=20)
    choice = read_pay_choice(request, pay, amount=amount, seed=key)
    if choice is None:  # the wallet does not fill itself
        raise PayMissing
    customer_id = customer_id_of(request)
    admit_top_up(customer_id=customer_id)
    top_up, _payment = start_top_up(
        customer_id=customer_id, amount=amount, choice=choice, idempotency_key=key
    )
    return top_up


def _wallet_page(
    request: KamengRequest, *, key: str, refusal: Refusal | None = None, typed: str = ""
) -> HttpResponse:
    customer_id = customer_id_of(request)

    def read_lines(before_id: int | None, limit: int) -> list[WalletLine]:
        return [
            WalletLine(
                id=line.transfer_id, name=line.name, amount=line.amount, created_at=line.created_at
            )
            for line in list_wallet_lines(customer_id, before_id=before_id, limit=limit)
        ]

    page = paginate(request, read_lines)
    context = {
        "wallet_amount": wallet_amount(customer_id),
        "lines": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "idempotency_key": key,
        "amount_text": typed,
        "problem": refusal.text() if refusal is not None else "",
        "pay_options": list_top_up_options(
            request, 1_000_000, chosen=read_text(request.POST, "pay", limit=20)
        ),
        "tiers": list_tiers_for(customer_id),
        **_limits_of(customer_id),
        "issuer": request.site,
        "returns": list_customer_returns(customer_id, limit=RETURNS_SHOWN),
        "returnables": [each for each in list_returnable(customer_id)[:20] if each.amount],
        "open_top_ups": [
            each
            for each in list_top_ups(customer_id, limit=3)
            if each.credited_at is None and find_open_payment(Purpose.TOP_UP, paid_for=each.id)
        ],
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/wallet.html", context, status=status)


def _limits_of(customer_id: int) -> dict[str, object]:
    is_named = get_customer(customer_id).named_at is not None
    return {
        "is_named": is_named,
        "cap_amount": cap_of(is_named=is_named),
        "room_amount": room_of(customer_id, is_named=is_named),
    }


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def return_money(request: KamengRequest, top_up_no: str) -> HttpResponse:
    """Ask for unused principal of a top-up back: a page that says what happens, then a post."""
    found = _get_top_up(request, top_up_no)
    if request.method != "POST":
        return _return_page(request, found)
    try:
        _ask_back(request, found)
    except Refusal as refusal:
        if wants_json(request):
            raise
        return _return_page(request, found, refusal=refusal)
    flash(request, _("已申请退回，款项会原路退到您付款的账户"))
    return keep_private(see_other(reverse("storefront:wallet")))


def _ask_back(request: KamengRequest, found: TopUp) -> None:
    typed, key = read_text(request.POST, "amount", limit=20), request.POST.get("idempotency_key")
    if not is_key(key or ""):
        raise KeyMissing
    try:
        amount = parse_fen_yuan(typed) if typed.strip() else None
    except MoneyInvalid:
        raise FormInvalid(label=_("退回金额")) from None
    wish = ReturnWish(amount=amount, reason=_("客户申请退回"), idempotency_key=str(key))
    return_top_up(top_up_id=found.id, wish=wish, actor=actor_of(request))


def _return_page(
    request: KamengRequest, found: TopUp, *, refusal: Refusal | None = None
) -> HttpResponse:
    measured = list_returnable(found.customer_id)
    context = {
        "top_up": found,
        "returnable": next((each for each in measured if each.top_up.id == found.id), None),
        "returns": list_returns_of(found.id),
        "idempotency_key": new_token(),
        "amount_text": request.POST.get("amount", "")[:20],
        "problem": refusal.text() if refusal is not None else "",
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/return_top_up.html", context, status=status)


@comes_back
@open_when_suspended
@require_safe
@customer_page
def top_up(request: KamengRequest, top_up_no: str) -> HttpResponse:
    """Show how to pay a top-up; one that is settled leads back to the wallet."""
    found = _get_top_up(request, top_up_no)
    payment = find_open_payment(Purpose.TOP_UP, paid_for=found.id)
    if found.credited_at is not None or payment is None:
        if found.credited_at is not None:
            flash(request, _("充值已到账"))
        for odd in describe_odd_payments(Purpose.TOP_UP, paid_for=found.id):
            flash(request, f"{odd.title} {odd.text}", "error")
        return keep_private(see_other(reverse("storefront:wallet")))
    return _top_up_page(request, found, payment)


def _top_up_page(request: KamengRequest, found: TopUp, payment: Payment) -> HttpResponse:
    back = reverse("storefront:top_up", args=(found.top_up_no,))
    instruction, problem, guidance = None, "", None
    way = find_way(request, payment.gateway_id)
    try:
        opened = lead_to_account(
            payment=payment,
            view=request.site,
            subject=_("余额充值"),
            payer=make_payer(request, back=f"{back}?returned=1"),
            reopen=lambda other: reopen_top_up(top_up_id=found.id, choice=other),
        )
        payment, instruction = opened.payment, opened.instruction
    except PayerUnknown as refusal:
        if "payer" not in request.GET:
            return ask_payer(request, gateway_id=payment.gateway_id, back=back)
        problem = refusal.text()
    except WrongDevice as refusal:
        guidance = guide_elsewhere(request, way, path=back) if way is not None else None
        problem = "" if guidance is not None else refusal.text()
    except (GatewayAway, GatewayNotUsable, PaymentClosed, WalletFull) as refusal:
        problem = refusal.text()
    context = {
        **instruction_context(request, instruction),
        "top_up": found,
        "payment": payment,
        "way": way,
        "guidance": guidance,
        "problem": problem,
        "is_returned": "returned" in request.GET,
        "status_url": reverse("storefront:top_up_status", args=(found.top_up_no,)),
        "tab": "me",
    }
    response = answer_personal(request, "storefront/top_up.html", context)
    return let_form_go(response, instruction)


@open_when_suspended
@require_safe
@customer_page
def top_up_status(request: KamengRequest, top_up_no: str) -> JsonResponse:
    """Tell whether a top-up has arrived."""
    found = _get_top_up(request, top_up_no)
    is_open = found.credited_at is None
    url = reverse("storefront:top_up", args=(top_up_no,))
    answer: dict[str, object] = {
        "state": "open" if is_open else "credited",
        "reload": False,
        "url": url,
    }
    if not is_open:
        answer["next_url"] = url
    response = JsonResponse(answer)
    keep_private(response)
    return response


def _get_top_up(request: KamengRequest, top_up_no: str) -> TopUp:
    found = find_top_up(top_up_no[:32])
    if found is None or found.customer_id != customer_id_of(request):
        raise TopUpNotFound
    return found


@open_when_suspended
@require_safe
@customer_page
def messages(request: KamengRequest) -> HttpResponse:
    """Show the inbox; what is shown is read from then on."""
    customer_id = customer_id_of(request)
    page = paginate(
        request,
        lambda before_id, limit: list_inbox(customer_id, before_id=before_id, limit=limit),
    )
    rows = list(page.rows)
    if any(row.read_at is None for row in rows):
        mark_inbox_read(customer_id, up_to_id=rows[0].id)
        forget_unread(customer_id)
    context = {
        "inbox": rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "tab": "me",
    }
    return answer_personal(request, "storefront/messages.html", context)


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def security(request: KamengRequest) -> HttpResponse:
    """Show name, password and signed-in browsers, or change one of them."""
    if request.method != "POST":
        return _security_page(request)
    try:
        said = _change(request)
    except Refusal as refusal:
        if wants_json(request):
            raise
        return _security_page(request, refusal=refusal)
    flash(request, said)
    response = keep_private(see_other(reverse("storefront:security")))
    if request.POST["act"] == "password":  # a copy of the session must not outlive the password
        give_session(request, response, renew_session(session_token(request)))
    return response


def _change(request: KamengRequest) -> str:
    """Do what the form asks for; return what to say. Raises what the services refuse."""
    customer_id = customer_id_of(request)
    act = request.POST.get("act")
    if act == "name":
        rename_customer(
            customer_id, nickname=read_text(request.POST, "nickname", limit=TYPED_CHARS)
        )
        return _("昵称已保存")
    if act == "password":
        admit_password_change(f"customer:{customer_id}")
        change_customer_password(
            customer_id,
            old_password=read_secret(request.POST, "old_password"),
            new_password=read_secret(request.POST, "new_password"),
            keep_token=session_token(request),
        )
        return _("密码已修改，其他设备已退出登录")
    if act == "others":
        close_other_sessions(request.person, keep_token=session_token(request))
        return _("其他设备已退出登录")
    if act == "session":
        handle = read_text(request.POST, "session", limit=64)
        close_session_by_handle(request.person, handle=handle)
        return _("这台设备已退出登录")
    raise FormInvalid(label=_("操作"))


def _security_page(request: KamengRequest, *, refusal: Refusal | None = None) -> HttpResponse:
    customer = get_customer(customer_id_of(request))
    is_naming = request.POST.get("act") == "name"
    context = {
        "nickname": request.POST.get("nickname", "")[:40] if is_naming else customer.nickname,
        "login_hint": customer.login_hint,
        "devices": [
            {"name": describe_agent(session.agent), "session": session}
            for session in list_sessions(request.person, token=session_token(request))
        ],
        "problem": refusal.text() if refusal is not None else "",
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/security.html", context, status=status)
