"""Marks of the back office: states as a coloured dot with a word."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from kameng.console.settlement_words import SPLIT_TONES, TONES
from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState
from kameng.payments.models import GatewayRefund, Payment, PaymentState, RefundState
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
def split_mark(split: Split) -> SafeString:
    """Print the state of a split."""
    return _mark(SPLIT_TONES.get(split.state, ""), split.get_state_display())


@register.filter
def short_money(amount: int) -> str:
    """Print a round amount for the axis of a chart: 0, 300, 1.5万, 30万."""
    yuan = amount // 10_000
    if yuan < 10_000:
        return str(yuan)
    tenths = yuan // 1_000
    figure = f"{tenths // 10}.{tenths % 10}".removesuffix(".0")
    return gettext("%(figure)s万") % {"figure": figure}
