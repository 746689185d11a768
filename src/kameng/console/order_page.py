"""What the pages of orders show: rows of a list, and one order whole in words.

Owns the wording of an order's history and of the split of its money. Secrets stay masked here;
they are opened by `orders.services.showing` only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kameng.accounts.models import Customer
from kameng.accounts.selectors import hint_contact, list_customers_by_id
from kameng.catalog.models import DeliveryKind
from kameng.catalog.own_goods import is_own_product
from kameng.catalog.selectors import get_catalogue
from kameng.console.forms import orders as order_forms
from kameng.console.time_line import Line
from kameng.ledger.accounts import ACCOUNT_NAMES, CODE_NAMES, Code, account_kind
from kameng.ledger.selectors import list_order_transfers
from kameng.orders.models import Order, OrderRefundState, OrderState, PaidBy, RefundTo
from kameng.orders.selectors import (
    Moment,
    list_moments,
    list_refunds,
    read_answers,
    read_contact,
)
from kameng.orders.services.delivering import Goods, collect_goods
from kameng.orders.services.refunding import given_back, sale_parts
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.selectors import (
    find_gateway,
    find_proof,
    list_disputes_of,
    list_gateway_refunds,
    list_payments_of,
)
from kameng.tenancy.selectors import SiteView

Text = str | Promise
SHOWN_CHARS: Final = 4

# code of a moment → icon, tone, sentence
MOMENTS: Final[Mapping[str, tuple[str, str, Text]]] = {
    "placed": ("plus", "", pgettext_lazy("act", "下单")),
    "payment_opened": ("credit-card", "", pgettext_lazy("act", "发起支付")),
    "payment_confirmed": ("circle-check", "ok", pgettext_lazy("act", "支付通道确认收款")),
    "awaits_prepaid": ("clock", "warn", pgettext_lazy("act", "预存款不足，等待预存")),
    "prepaid_taken": ("wallet", "ok", pgettext_lazy("act", "预存款已扣进货价")),
    "wallet_part_short": (
        "alert-triangle",
        "warn",
        pgettext_lazy("act", "余额不够抵扣，这笔付款退回"),
    ),
    "rest_alone": (
        "alert-triangle",
        "warn",
        pgettext_lazy("act", "补差价到晚了，先付的一笔已不在，这笔也退回"),
    ),
    "shop_closed": (
        "alert-triangle",
        "warn",
        pgettext_lazy("act", "关店后才付款，这笔钱退回付款人"),
    ),
    "rest_unpaid": ("clock", "warn", pgettext_lazy("act", "买家没有补差价，先付的一笔退回")),
    "paid": ("check", "ok", pgettext_lazy("act", "已付款")),
    "delivered": ("checks", "ok", pgettext_lazy("act", "已发货")),
    "revealed": ("eye", "", pgettext_lazy("act", "买家第一次查看商品")),
    "closed": ("circle-x", "", pgettext_lazy("act", "订单结束")),
    "cancelled": ("ban", "", pgettext_lazy("act", "取消订单")),
    "refund_asked": ("receipt-refund", "warn", pgettext_lazy("act", "申请退款")),
    "refund_done": ("receipt-refund", "ok", pgettext_lazy("act", "退款完成")),
    "refund_refused": ("alert-circle", "bad", pgettext_lazy("act", "支付通道拒绝退款")),
    "refund_again": ("refresh", "", pgettext_lazy("act", "再次请支付通道退款")),
    "refund_wallet": ("wallet", "", pgettext_lazy("act", "改退到余额")),
    "refund_hand": ("coin", "", pgettext_lazy("act", "记为线下退款")),
    "late_payment": ("clock", "warn", pgettext_lazy("act", "超时后才付款，重新分配库存")),
    "late_unrefundable": (
        "alert-triangle",
        "bad",
        pgettext_lazy("act", "超时付款没有货也退不回去，请处理"),
    ),
    "paid_twice": ("alert-triangle", "warn", pgettext_lazy("act", "买家重复付款，多付的钱退回")),
    "paid_twice_unrefundable": (
        "alert-triangle",
        "bad",
        pgettext_lazy("act", "重复付款没有自动退回，请到支付记录处理"),
    ),
    "delivered_by_hand": ("send", "ok", pgettext_lazy("act", "人工发货")),
    "delivered_from_stock": ("package", "ok", pgettext_lazy("act", "从库存发货")),
    "key_replaced": ("refresh", "warn", pgettext_lazy("act", "换卡密，旧的作废")),
    "resent": ("mail", "", pgettext_lazy("act", "重发通知")),
    "remark": ("note", "", pgettext_lazy("act", "备注")),
    "plan_problem": (
        "alert-triangle",
        "bad",
        pgettext_lazy("act", "没能自动开通，等人处理"),
    ),
    "taken": ("user-check", "", pgettext_lazy("act", "接单处理")),
}


WAYS: Final[Mapping[RefundTo, Text]] = {
    RefundTo.SOURCE: _("原路退回（由支付通道退给买家）"),
    RefundTo.WALLET: _("退到余额（马上到账）"),
    RefundTo.HAND: _("线下退款（您已自己退给买家，这里只记账）"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One line of a list of orders."""

    order: Order
    customer: Customer | None
    contact_hint: str
    margin_amount: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of the goods: masked, or in clear after an audited look."""

    key_id: int | None
    text: str
    is_clear: bool
    used_at: Any

    @property
    def key_text(self) -> str:
        """Return the id as a form sends it."""
        return str(self.key_id or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One transfer of the ledger in words."""

    name: Any
    source: Any
    target: Any
    amount: int
    at: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """One attempt to pay, with its gateway's name and why it counts."""

    payment: Payment
    gateway_name: str
    proof: Any
    can_query: bool


def make_rows(orders: Sequence[Order]) -> list[OrderRow]:
    """Return the lines of a list, with the customers' names in one query."""
    customers = list_customers_by_id({o.customer_id for o in orders if o.customer_id is not None})
    return [
        OrderRow(
            order=order,
            customer=customers.get(order.customer_id) if order.customer_id else None,
            contact_hint=hint_contact(read_contact(order)) if not order.customer_id else "",
            margin_amount=margin_left(order),
        )
        for order in orders
    ]


def margin_left(order: Order) -> int | None:
    """Return what the selling site keeps of a paid order after its refunds; None when unpaid."""
    if order.paid_at is None:
        return None
    sold = given_back(order, refunded_amount=order.total_amount)
    back = given_back(order, refunded_amount=order.refunded_amount)
    if order.site_id == order.main_site_id:
        return sold.main_amount - back.main_amount
    return sold.site_amount - back.site_amount


def order_context(
    order: Order,
    *,
    site: SiteView,
    clear_goods: Sequence[Goods] | None = None,
    clear_contact: str = "",
    bound: Mapping[str, forms.Form] | None = None,
) -> dict[str, Any]:
    """Return what the page of one order shows.

    `bound` holds the form that was refused, by the name of its act: its dialog opens again.
    """
    shown_forms = {**_blank_forms(order), **(bound or {})}
    shown_forms["refund"].offer([(way.value, WAYS[way]) for way in refund_ways(order)])
    transfers = list_order_transfers(order.id, placed_at=order.placed_at)
    customers = list_customers_by_id({order.customer_id} if order.customer_id else set())
    contact = read_contact(order)
    pieces = _pieces(order, clear_goods)
    possible = _possible(order, pieces)
    refunds = list_refunds(order.id)
    return {
        "order": order,
        "customer": customers.get(order.customer_id or 0),
        "contact": clear_contact or hint_contact(contact),
        "contact_is_clear": bool(clear_contact) or not contact,
        "answers": _answers(order, site),
        "is_own_goods": not site.is_main and is_own_product(order.product_id),
        "pieces": pieces,
        "pieces_are_clear": clear_goods is not None,
        "parts": sale_parts(order),
        "margin": margin_left(order),
        "supply_amount": order.wholesale_amount + (order.upline_amount or 0),
        "left_amount": order.total_amount - order.refunded_amount,
        "postings": [describe_transfer(transfer) for transfer in transfers],
        "payments": _payments(order),
        "disputes": list_disputes_of(order.payment_id) if order.payment_id is not None else [],
        "refunds": refunds,
        "refused": [each for each in refunds if each.state == OrderRefundState.REFUSED],
        "gateway_refunds": list_gateway_refunds(Purpose.ORDER, paid_for=order.id),
        "lines": [_line(moment) for moment in reversed(list_moments(order))],
        "can": possible,
        "forms": shown_forms,
        "open_dialog": next(iter(bound), "") if bound else "",
        "problem": _problem(bound or {}, possible),
    }


def _problem(bound: Mapping[str, forms.Form], possible: Mapping[str, bool]) -> str:
    """Return why an act was refused, for the head of the page: its dialog may be gone by now."""
    for name, form in bound.items():
        is_shown = possible.get(name, True)
        hidden = form.hidden_fields() if is_shown else list(form)
        unseen = [each.errors[0] for each in hidden if each.errors]
        for error in [*form.non_field_errors(), *unseen]:
            return str(error)
    return ""


def _possible(order: Order, pieces: Sequence[Piece]) -> dict[str, bool]:
    """Tell which repairs the state of the order allows; rights are asked beside it."""
    waiting = order.state == OrderState.AWAITING_DELIVERY
    delivered = order.state == OrderState.DELIVERED
    keys = order.delivery_kind == DeliveryKind.CARD
    return {
        "resend": delivered,
        "replace": delivered and any(piece.key_id for piece in pieces),
        "deliver": (waiting or delivered) and order.delivery_kind != DeliveryKind.SITE_PLAN,
        "open": waiting and order.delivery_kind == DeliveryKind.SITE_PLAN,
        "stock": waiting and keys,
        "cancel": order.state == OrderState.AWAITING_PAYMENT,
        "refund": waiting or delivered,
        "wait": waiting,
    }


def _blank_forms(order: Order) -> dict[str, Any]:
    refund = order_forms.RefundForm(initial={"refund_to": refund_ways(order)[0]})
    return {
        "resend": order_forms.EmptyForm(),
        "stock": order_forms.EmptyForm(),
        "open": order_forms.EmptyForm(),
        "note": order_forms.NoteForm(),
        "replace": order_forms.ReplaceForm(),
        "deliver": order_forms.HandForm(),
        "cancel": order_forms.CancelForm(),
        "refund": refund,
        "settle": order_forms.SettleForm(),
    }


def refund_ways(order: Order) -> list[RefundTo]:
    """Return where money of this order can go back to, the way it came first."""
    ways = [RefundTo.SOURCE] if order.paid_by == PaidBy.GATEWAY else []
    if order.customer_id is not None:
        ways.append(RefundTo.WALLET)
    return [*ways, RefundTo.HAND]


def _answers(order: Order, site: SiteView) -> list[tuple[str, str]]:
    """Return what the buyer filled in, by the labels of today (by name where one is gone)."""
    product = get_catalogue(site).find_product(order.product_id)
    labels = {field.name: field.label for field in product.input_fields} if product else {}
    return [(labels.get(name, name), value) for name, value in read_answers(order).items()]


def _pieces(order: Order, clear: Sequence[Goods] | None) -> list[Piece]:
    goods = collect_goods(order, by_buyer=False) if clear is None else clear
    return [
        Piece(
            key_id=each.key_id,
            text=each.text if clear is not None else mask(each.text),
            is_clear=clear is not None,
            used_at=each.used_at,
        )
        for each in goods
    ]


def mask(text: str) -> str:
    """Return the first signs of a secret: enough to tell two apart, not enough to use one."""
    shown = min(SHOWN_CHARS, len(text) // 4)
    return text[:shown] + "••••••••"


def describe_transfer(transfer: Any) -> Posting:
    """Return a transfer of the ledger in words."""
    return Posting(
        name=CODE_NAMES[Code(transfer.code)],
        source=ACCOUNT_NAMES[account_kind(transfer.debit_account)],
        target=ACCOUNT_NAMES[account_kind(transfer.credit_account)],
        amount=transfer.amount,
        at=transfer.created_at,
    )


def _payments(order: Order) -> list[PaymentLine]:
    lines = []
    for payment in list_payments_of(Purpose.ORDER, paid_for=order.id):
        gateway = find_gateway(payment.gateway_id)
        lines.append(
            PaymentLine(
                payment=payment,
                gateway_name=gateway.name if gateway else "",
                proof=find_proof(payment.id),
                can_query=payment.state in {PaymentState.OPEN, PaymentState.CLOSED},
            )
        )
    return lines


def _line(moment: Moment) -> Line:
    icon, tone, title = MOMENTS.get(moment.code, ("dots", "", moment.code))
    return Line(
        at=moment.at,
        icon=icon,
        tone=tone,
        title=title,
        text=moment.text,
        actor="" if moment.actor == "system" else moment.actor,
    )
