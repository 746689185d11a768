"""Money of a buyer that paid for nothing: another amount than was due, or a second payment.

The buyer must not read "nothing was charged" while the shop holds the money.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from kameng.payments.models import Payment, Shortfall, ShortfallState
from kameng.payments.selectors import list_odd_payments, list_shortfalls_of
from kameng.pricing.money import Amount, format_yuan
from kameng.web.templatetags.kameng import local_time


@dataclass(frozen=True, slots=True, kw_only=True)
class OddPayment:
    """One notice about such money."""

    title: str
    text: str
    is_returned: bool
    is_asked: bool = False  # the buyer may pay the rest: the page shows where


def describe_odd_payments(purpose: int, *, paid_for: int) -> list[OddPayment]:
    """Return what to tell the buyer of an order or a top-up, oldest first."""
    odd = list_odd_payments(purpose, paid_for=paid_for)
    wishes = list_shortfalls_of([payment.id for payment in odd]) if odd else {}
    return [_describe(payment, wishes.get(payment.id)) for payment in odd]


def _describe(payment: Payment, wish: Shortfall | None) -> OddPayment:
    received = payment.received_amount or 0
    amounts = {
        "got": f"¥{format_yuan(Amount(received))}",
        "wanted": f"¥{format_yuan(Amount(payment.amount))}",
    }
    is_returned = payment.refunded_amount >= received
    if wish is not None and wish.state == ShortfallState.OPEN:
        missing = f"¥{format_yuan(Amount(wish.missing_amount))}"
        until = {"missing": missing, "until": local_time(wish.expires_at, "minute")}
        return OddPayment(
            title=_("收到您付的 %(got)s，还差 %(missing)s") % {**amounts, **until},
            text=_("请在 %(until)s 前补付 %(missing)s。没有补付，已付的钱会退给您。") % until,
            is_returned=False,
            is_asked=True,
        )
    if payment.is_second:
        title = _("收到您重复付的 %(got)s") % amounts
        text = _("店家核实后会把这笔钱退给您。")
    else:
        title = _("收到您付的 %(got)s，应付 %(wanted)s，金额不符") % amounts
        text = _("店家核实后会把这笔钱退给您。还想要的话需按应付金额另付，拿不准请先联系客服。")
    if is_returned:
        text = _("这笔钱已安排退给您，到账时间以支付平台为准。")
    return OddPayment(title=title, text=text, is_returned=is_returned)
