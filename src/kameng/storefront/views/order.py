"""One order as its buyer sees it: the goods, what is on its way, what was given back."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe

from kameng.catalog.models import DeliveryKind
from kameng.catalog.selectors import get_catalogue
from kameng.inventory.keytext import JOINT
from kameng.orders.errors import KeyNotReplaceable
from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState, RefundTo
from kameng.orders.selectors import list_moments, list_refunds, read_answers
from kameng.orders.services.delivering import Goods, collect_goods, mark_used
from kameng.payments.models import Purpose
from kameng.payments.selectors import is_disputed
from kameng.pricing.money import Amount, format_yuan
from kameng.storefront.addresses import order_address
from kameng.storefront.errors import FormInvalid
from kameng.storefront.forms import read_number
from kameng.storefront.frame import answer_personal, keep_private, see_other
from kameng.storefront.odd_payments import describe_odd_payments
from kameng.storefront.opening import as_file, open_for, read_token
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest

WAITING = frozenset({OrderState.AWAITING_DELIVERY, OrderState.REFUNDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What the page says first."""

    title: str
    text: str
    icon: str
    css_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing to copy: a number, a secret, a whole text."""

    name: str
    text: str
    is_secret: bool = False

    def __repr__(self) -> str:
        return f"Part(name={self.name!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One key in its card."""

    key_id: int | None
    used_at: dt.datetime | None
    parts: tuple[Part, ...]

    @property
    def has_secret(self) -> bool:
        """Tell whether there is something to hide from a neighbour's eye."""
        return any(part.is_secret for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the way of an order."""

    title: str
    css_class: str
    at: dt.datetime | None = None
    text: str = ""


@open_when_suspended
@require_safe
def order(request: KamengRequest, order_no: str) -> HttpResponse:
    """Show the order. A delivered one shows its goods: that is the hand-over, and is recorded."""
    found = open_for(request, order_no)
    token = read_token(request)
    if found.state == OrderState.AWAITING_PAYMENT:
        return keep_private(see_other(order_address("pay", order_no=order_no, token=token)))
    is_plan = found.delivery_kind == DeliveryKind.SITE_PLAN
    if is_plan and found.state in {OrderState.AWAITING_DELIVERY, OrderState.DELIVERED}:
        return keep_private(see_other(order_address("shop_ready", order_no=order_no, token=token)))
    goods = collect_goods(found, by_buyer=True)
    product = get_catalogue(request.site).find_product(found.product_id)
    is_waiting = found.state in WAITING
    labels = {field.name: field.label for field in product.input_fields} if product else {}
    names = {"order_no": order_no, "token": token}
    odd = describe_odd_payments(Purpose.ORDER, paid_for=found.id)
    context = {
        "order": found,
        "paid_amount": found.total_amount + found.surcharge_amount,
        "token": token,
        "headline": _headline(found, is_odd=bool(odd)),
        "odd_payments": odd,
        "rest_url": order_address("pay_rest", **names),
        "is_disputed": not goods and is_disputed(found.payment_id, found.first_payment_id),
        "pieces": [_piece(each) for each in goods],
        "has_keys": found.delivery_kind == DeliveryKind.CARD,
        "is_waiting": is_waiting,
        "steps": _steps(found) if is_waiting else _history(found),
        "refunds": [_refund_line(refund) for refund in _shown_refunds(found)],
        "answers": [(labels.get(key, key), value) for key, value in read_answers(found).items()],
        "tutorial": product.tutorial if product and goods else "",
        "after_sale": product.after_sale if product and goods else "",
        "product_url": reverse("storefront:plans")
        if is_plan
        else reverse("storefront:product", args=(found.product_id,)),
        "status_url": order_address("pay_status", **names, s=found.state),
        "keys_url": order_address("order_keys", **names),
        "used_url": order_address("order_used", order_no=order_no, token=""),
        "tab": "orders",
    }
    return answer_personal(request, "storefront/order.html", context)


@open_when_suspended
@require_safe
def order_keys(request: KamengRequest, order_no: str) -> HttpResponse:
    """Give the goods of the order as a text file."""
    found = open_for(request, order_no)
    lines = [each.text for each in collect_goods(found, by_buyer=True)]
    head = [f"{request.site.name} {found.order_no}", f"{found.title} × {found.quantity}", ""]
    text = "\r\n".join([*head, *lines, ""])
    return keep_private(as_file(text, name=f"{found.order_no}.txt"))


@open_when_suspended
@require_POST
def order_used(request: KamengRequest, order_no: str) -> HttpResponse:
    """Set or take away the buyer's own mark on a key. Raises `FormInvalid`, `KeyNotReplaceable`."""
    found = open_for(request, order_no)
    if request.POST.get("used") not in {"0", "1"}:
        raise FormInvalid(label=_("标记"))
    if found.state != OrderState.DELIVERED:
        raise KeyNotReplaceable
    key_id = read_number(request.POST, "key", label=_("卡密"))
    mark_used(order=found, key_id=key_id, is_used=request.POST["used"] == "1")
    url = order_address("order", order_no=order_no, token=read_token(request))
    return keep_private(see_other(f"{url}#keys"))


def _piece(goods: Goods) -> Piece:
    """Cut a key at its joint into number and secret; anything else stays whole."""
    number, joint, secret = goods.text.partition(JOINT)
    parts: tuple[Part, ...]
    if goods.key_id is not None and joint and number and secret:
        parts = (
            Part(name=pgettext("key", "卡号"), text=number),
            Part(name=pgettext("key", "密码"), text=secret, is_secret=True),
        )
    else:
        parts = (Part(name="", text=goods.text),)
    return Piece(key_id=goods.key_id, used_at=goods.used_at, parts=parts)


def _headline(found: Order, *, is_odd: bool) -> Headline:
    paid = {"paid": f"¥{format_yuan(Amount(found.total_amount))}"}
    if found.state == OrderState.DELIVERED:
        if found.delivery_kind == DeliveryKind.CARD:
            title = _("购买成功，卡密已发出")
        else:
            title = _("购买成功，已经发货")
        text = _("已付 %(paid)s。以后也能随时打开这个页面查看。") % paid
        return Headline(title=title, text=text, icon="check")
    if found.state == OrderState.AWAITING_DELIVERY:
        text = _("已付 %(paid)s，正在为您处理。") % paid
        return Headline(
            title=_("付款成功，正在处理"), text=text, icon="hourglass", css_class="outcome-info"
        )
    if found.state == OrderState.REFUNDING:
        text = _("%(paid)s 正在退回，到账后这里会更新。") % paid
        return Headline(
            title=_("正在退款"), text=text, icon="receipt-refund", css_class="outcome-warn"
        )
    if found.state == OrderState.REFUNDED:
        text = _("这笔订单已全额退款。")
        return Headline(title=_("已退款"), text=text, icon="receipt-refund")
    text = _("没有扣款。如果您已经付款，到账后会自动发货或原路退回。")
    if is_odd:
        text = _("收到的付款和应付的不一样，见下面的说明。")
    title = _("订单已取消") if found.state == OrderState.CANCELLED else _("订单已过期")
    return Headline(title=title, text=text, icon="clock", css_class="outcome-warn")


def _steps(found: Order) -> list[Step]:
    """Return the way of an order that is still moving: done, now, to come."""
    paid = Step(title=_("已付款"), css_class="is-done", at=found.paid_at)
    if found.state == OrderState.REFUNDING:
        now = Step(title=_("正在退款"), css_class="is-now", text=_("一般几分钟内退回原支付方式"))
        return [paid, now, Step(title=_("已退款"), css_class="")]
    now = Step(title=_("正在处理"), css_class="is-now", text=_("客服会按付款先后处理"))
    return [paid, now, Step(title=_("完成"), css_class="")]


def _history(found: Order) -> list[Step]:
    """Return what has happened, in the words of a buyer; what concerns staff alone stays out."""
    words = {
        "placed": _("下单"),
        "paid": _("已付款"),
        "delivered": _("已发货"),
        "revealed": _("查看卡密"),
        "closed": _("订单关闭"),
        "refund_asked": _("发起退款"),
        "refund_done": _("退款到账"),
        "key_replaced": _("客服换了一张卡密"),
        "late_payment": _("超时后收到付款"),
    }
    return [
        Step(title=words[moment.code], css_class="is-done", at=moment.at)
        for moment in list_moments(found)
        if moment.code in words
    ]


def _shown_refunds(found: Order) -> list[OrderRefund]:
    return list_refunds(found.id) if found.refunded_amount else []


def _refund_line(refund: OrderRefund) -> dict[str, Any]:
    amount = {"amount": f"¥{format_yuan(Amount(refund.whole_amount))}"}
    is_done = refund.state == OrderRefundState.DONE
    if is_done:
        text = {
            RefundTo.WALLET: _("已退到余额。"),
            RefundTo.SOURCE: _("已原路退回，到账时间以支付平台为准。"),
            RefundTo.HAND: _("已由客服线下退给您。"),
        }[RefundTo(refund.refund_to)]
    elif refund.state == OrderRefundState.REFUSED:
        text = _("支付平台没有退成，客服正在处理。")
    else:
        text = _("已提交给支付平台，请稍等。")
    title = _("退款 %(amount)s") % amount
    return {"title": title, "text": text, "is_done": is_done}
