"""Marks of the back office: states as a coloured dot with a word."""

import datetime as dt

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from kameng.console.gateway_words import explain_said
from kameng.console.settlement_words import SPLIT_TONES, TONES, say_reason
from kameng.core.audit import SYSTEM
from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState
from kameng.payments.models import GatewayRefund, Payment, PaymentState, RefundState
from kameng.reconciliation.models import Bill, BillRow, BillState, Case, CaseState, LineState
from kameng.settlement.models import Split, Withdrawal

register = template.Library()

ORDER_TONES = {
    OrderState.AWAITING_DELIVERY: "warn",
    OrderState.DELIVERED: "ok",
    OrderState.REFUNDING: "info",
}
PAYMENT_TONES = {PaymentState.CONFIRMED: "ok", PaymentState.MISMATCHED: "bad"}
REFUND_TONES = {
    OrderRefundState.WAITING: "info",
    OrderRefundState.DONE: "ok",
    OrderRefundState.REFUSED: "bad",
}
GATEWAY_REFUND_TONES = {
    RefundState.WAITING: "info",
    RefundState.DONE: "ok",
    RefundState.REFUSED: "bad",
}

BILL_TONES = {BillState.WAITING: "info", BillState.MATCHED: "ok", BillState.FAILED: "bad"}
LINE_TONES = {LineState.MATCHED: "ok", LineState.DIFFERENT: "warn"}
LINE_KINDS = {
    "payment": gettext_lazy("收款"),
    "refund": gettext_lazy("退款"),
    "split": gettext_lazy("分账"),
    "split_return": gettext_lazy("分账回退"),
    "payout": gettext_lazy("转账"),
    "payout_return": gettext_lazy("转账退回"),
    "dispute": gettext_lazy("争议"),
    "settlement": gettext_lazy("结算到账"),
    "correction_in": gettext_lazy("差错贷记（入账）"),
    "correction_out": gettext_lazy("差错借记（扣款）"),
    "fee": gettext_lazy("手续费"),
    "other": gettext_lazy("其他"),
    "unreadable": gettext_lazy("看不懂的行"),
}
BOOK_STATES = {
    "open": gettext_lazy("待支付"),
    "paid": gettext_lazy("已支付"),
    "closed": gettext_lazy("已关闭"),
    "mismatched": gettext_lazy("金额不符"),
    "waiting": gettext_lazy("退款中"),
    "planned": gettext_lazy("待处理"),
    "asked": gettext_lazy("处理中"),
    "left": gettext_lazy("未执行"),
    "done": gettext_lazy("已完成"),
    "refused": gettext_lazy("失败"),
}


def _mark(tone: str, text: str) -> SafeString:
    classes = f"status status-{tone}" if tone else "status"
    return format_html('<span class="{}">{}</span>', classes, text)


@register.filter
def order_mark(order: Order) -> SafeString:
    """Print the state of an order."""
    return _mark(ORDER_TONES.get(OrderState(order.state), ""), order.get_state_display())


@register.filter
def payment_mark(payment: Payment) -> SafeString:
    """Print the state of a payment."""
    tone = PAYMENT_TONES.get(PaymentState(payment.state), "")
    is_second = payment.is_second
    return _mark(tone, gettext("重复付款") if is_second else payment.get_state_display())


@register.filter
def refund_mark(refund: OrderRefund) -> SafeString:
    """Print the state of an order's refund."""
    return _mark(REFUND_TONES[OrderRefundState(refund.state)], refund.get_state_display())


@register.filter
def gateway_refund_mark(refund: GatewayRefund) -> SafeString:
    """Print the state of a refund through a gateway."""
    return _mark(GATEWAY_REFUND_TONES[RefundState(refund.state)], refund.get_state_display())


@register.filter
def withdrawal_mark(withdrawal: Withdrawal) -> SafeString:
    """Print the state of a withdrawal."""
    return _mark(TONES.get(withdrawal.state, ""), withdrawal.get_state_display())


@register.filter
def withdrawal_reason(withdrawal: Withdrawal) -> str:
    """Say why a withdrawal is where it is."""
    return str(say_reason(withdrawal))


@register.filter
def split_mark(split: Split) -> SafeString:
    """Print the state of a split."""
    return _mark(SPLIT_TONES.get(split.state, ""), split.get_state_display())


@register.filter
def bill_mark(bill: Bill) -> SafeString:
    """Print the state of a bill."""
    return _mark(BILL_TONES[BillState(bill.state)], bill.get_state_display())


@register.filter
def case_mark(case: Case) -> SafeString:
    """Print the state of a difference."""
    if case.state == CaseState.OPEN and (case.gone_at or case.found_day):
        return _mark("info", gettext("待确认"))
    return _mark("warn" if case.state == CaseState.OPEN else "", case.get_state_display())


@register.filter
def line_mark(line: BillRow) -> SafeString:
    """Print what became of a line of a bill."""
    return _mark(LINE_TONES.get(LineState(line.state), ""), line.get_state_display())


@register.filter
def line_kind(kind: str) -> str:
    """Print what a line of a bill is about."""
    return str(LINE_KINDS.get(kind, kind))


@register.filter
def book_state(state: str | None) -> str:
    """Print the state of a thing of the books, as a difference keeps it."""
    return str(BOOK_STATES.get(state, state)) if state else "—"


@register.filter
def moment(text: str | None) -> dt.datetime | None:
    """Return a moment that was kept as text, or None."""
    return dt.datetime.fromisoformat(text) if text else None


@register.filter
def hex(value: bytes | None) -> str:
    """Print bytes as hexadecimal digits."""
    return bytes(value or b"").hex()


@register.filter
def short_money(amount: int) -> str:
    """Print a round amount for the axis of a chart: 0, 300, 1.5万, 30万."""
    yuan = amount // 10_000
    if yuan < 10_000:
        return str(yuan)
    tenths = yuan // 1_000
    figure = f"{tenths // 10}.{tenths % 10}".removesuffix(".0")
    return gettext("%(figure)s万") % {"figure": figure}


@register.filter
def tenths_percent(bps: int) -> str:
    """Print a rate in basis points with one place: 12.3%."""
    return f"{bps // 100}.{bps % 100 // 10}%"


@register.filter
def signed_tenths(tenths: int) -> str:
    """Print a change in tenths of a percent with its sign: +12.3%."""
    size = abs(tenths)
    return f"{'+' if tenths > 0 else '-' if tenths < 0 else ''}{size // 10}.{size % 10}%"


@register.filter
def thousands(count: int) -> str:
    """Print a whole number with its thousands apart."""
    return f"{count:,}"


@register.filter
def by_whom(name: str) -> str:
    """Return the name of who did it as a person reads it: what nobody did, the system did."""
    return gettext("系统") if name == SYSTEM.name else name


@register.filter
def gateway_said(text: str) -> str:
    """Print what a gateway said in words; what a person wrote stays as it is."""
    return explain_said(text)
