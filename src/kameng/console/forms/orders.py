"""Forms of orders: the filters of the list, and one form for each repair.

Each form is the allow-list of what a person may send; what it means is checked by the services.
"""

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.days import Days, read_days
from kameng.console.forms.fields import TextField, YuanField, read_id
from kameng.insight.order_search import TRAITS, OrderSearch
from kameng.orders.models import OrderState, RefundTo
from kameng.web.idempotency import KEY, new_key

REASON_MAX: Final = 200
CONTENT_MAX: Final = 20_000
TEXT_MAX: Final = 60
OLDEST_FIRST: Final = "oldest"
SOURCE_JOINT: Final = "-"  # between the keys of sources in an address
SOURCES_MOST: Final = 200

VIEWS: Final = {
    "all": (_("全部"), ()),
    "waiting": (_("待发货"), (OrderState.AWAITING_DELIVERY,)),
    "unpaid": (_("待付款"), (OrderState.AWAITING_PAYMENT,)),
    "delivered": (_("已发货"), (OrderState.DELIVERED,)),
    "refunding": (_("退款中"), (OrderState.REFUNDING,)),
    "refunded": (_("已退款"), (OrderState.REFUNDED,)),
    "closed": (_("已关闭"), (OrderState.CANCELLED, OrderState.EXPIRED)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQuery:
    """The filters of the list as the address says them; what makes no sense is left out."""

    view: str
    text: str
    days: Days
    customer_id: int | None
    product_id: int | None
    is_oldest_first: bool = False
    paid: Days = Days()
    trait: str = ""
    source_keys: tuple[int, ...] | None = None

    def search(self, *, site_id: int, zone: ZoneInfo) -> OrderSearch:
        """Return what to look for; days are those of the site's time zone."""
        return OrderSearch(
            site_id=site_id,
            text=self.text,
            states=tuple(int(state) for state in VIEWS[self.view][1]),
            customer_id=self.customer_id,
            product_id=self.product_id,
            placed_from=self.days.since(zone),
            placed_until=self.days.until(zone),
            is_oldest_first=self.is_oldest_first,
            paid_from=self.paid.since(zone),
            paid_until=self.paid.until(zone),
            trait=self.trait,
            source_keys=self.source_keys,
        )

    @property
    def kept(self) -> dict[str, str]:
        """Return the parts of an address that say all of this but the view."""
        named = {"q": self.text, **self.days.query}
        named |= {"customer": str(self.customer_id or ""), "product": str(self.product_id or "")}
        named["sort"] = OLDEST_FIRST if self.is_oldest_first else ""
        named |= {"paid_from": self.paid.day_from, "paid_until": self.paid.day_until}
        named |= {
            "trait": self.trait,
            "source": SOURCE_JOINT.join(map(str, self.source_keys or ())),
        }
        return {name: value for name, value in named.items() if value}

    @property
    def is_narrow(self) -> bool:
        """Tell whether anything but the view narrows the list."""
        named = (self.text, self.days, self.customer_id, self.product_id)
        return any((*named, self.paid, self.trait, self.source_keys))

    @property
    def is_counted(self) -> bool:
        """Tell whether the list says how many orders it has: it comes from a figure."""
        return bool(self.paid or self.trait or self.source_keys)


def read_order_query(query: QueryDict) -> OrderQuery:
    """Return the filters of an address."""
    view = query.get("view", "all")
    return OrderQuery(
        view=view if view in VIEWS else "all",
        text=query.get("q", "").replace("\x00", "").strip()[:TEXT_MAX],
        days=read_days(query),
        customer_id=read_id(query.get("customer")),
        product_id=read_id(query.get("product")),
        is_oldest_first=query.get("sort") == OLDEST_FIRST,
        paid=read_days(query, names=("paid_from", "paid_until")),
        trait=query.get("trait", "") if query.get("trait") in TRAITS else "",
        source_keys=_read_sources(query.get("source", "")),
    )


def _read_sources(text: str) -> tuple[int, ...] | None:
    """Return the keys of an address; None when there are none, or one makes no sense."""
    parts = text.split(SOURCE_JOINT)[:SOURCES_MOST] if text else []
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    keys = tuple(int(part[:20]) for part in parts)
    return keys if all(key < 1 << 63 for key in keys) else None


def _reason(label: Any, **options: Any) -> TextField:
    return TextField(
        label=label,
        rows=2,
        max_length=REASON_MAX,
        error_messages={"required": _("请写明原因，它会记入审计日志。")},
        **options,
    )


def _hidden_id(problem: Any) -> forms.CharField:
    return forms.CharField(
        max_length=18,
        widget=forms.HiddenInput,
        error_messages={"required": problem, "max_length": problem},
    )


class KeyedForm(forms.Form):
    """A form that moves money or goods: the same key twice acts once."""

    idempotency_key = forms.RegexField(
        regex=KEY,
        widget=forms.HiddenInput,
        error_messages={
            "required": _("表单已过期，请重新提交。"),
            "invalid": _("表单已过期，请重新提交。"),
        },
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("initial", {}).setdefault("idempotency_key", new_key())
        super().__init__(*args, **options)


class EmptyForm(forms.Form):
    """An act that needs nothing but the press of its button."""


class NoteForm(forms.Form):
    """A remark on the time line."""

    text = TextField(
        label=_("备注"),
        rows=2,
        max_length=400,
        help_text=_("只有后台看得到。"),
        error_messages={"required": _("请写一句备注。")},
    )


class ReplaceForm(forms.Form):
    """One key of the order, to be swapped for a new one."""

    key_id = _hidden_id(_("请重新选择要换的卡密。"))
    reason = _reason(_("原因"))

    def clean_key_id(self) -> int:
        """Return the id of the key."""
        key_id = read_id(self.cleaned_data["key_id"])
        if key_id is None:
            raise ValidationError(_("请重新选择要换的卡密。"))
        return key_id


class HandForm(forms.Form):
    """What an operator gives to the buyer."""

    content = TextField(
        label=_("发给客户的内容"),
        rows=5,
        max_length=CONTENT_MAX,
        help_text=_("卡号、密码、充值结果或操作说明。加密保存，客户在订单页看到。"),
        error_messages={"required": _("请填写发给客户的内容。")},
    )


class CancelForm(forms.Form):
    """Giving up an order that is not paid."""

    reason = _reason(_("原因"))


class RefundForm(KeyedForm):
    """How much goes back, where to, and why."""

    amount = YuanField(
        label=_("退多少"),
        low=100,
        required=False,
        help_text=_("留空就是把剩下的全部退掉。"),
    )
    refund_to = forms.ChoiceField(
        label=_("退到哪里"),
        choices=RefundTo.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择退到哪里。"), "invalid_choice": _("请选择退到哪里。")},
    )
    reason = _reason(_("原因"), help_text=_("会记入日志和订单时间线。"))

    def offer(self, ways: list[tuple[int, Any]]) -> None:
        """Show only the ways that this order's money can go; the service decides again."""
        self.fields["refund_to"].choices = ways  # type: ignore[attr-defined]

    def clean_amount(self) -> int | None:
        """Return the amount in whole fen, or None for all that is left."""
        amount: int | None = self.cleaned_data["amount"]
        if amount is not None and amount % 100:
            raise ValidationError(_("退款最小到分，例如 12.50。"))
        return amount


class SettleForm(forms.Form):
    """What becomes of a refund that the gateway refused."""

    refund_id = _hidden_id(_("请重新选择要处理的退款。"))
    way = forms.ChoiceField(
        label=_("怎么处理"),
        choices=(
            ("again", _("再请支付通道退一次")),
            ("wallet", _("退到客户余额")),
            ("hand", _("已线下退给客户，只记账")),
        ),
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择处理方式。"), "invalid_choice": _("请选择处理方式。")},
    )
    reason = _reason(_("原因"))

    def clean_refund_id(self) -> int:
        """Return the id of the refund."""
        refund_id = read_id(self.cleaned_data["refund_id"])
        if refund_id is None:
            raise ValidationError(_("请重新选择要处理的退款。"))
        return refund_id


class QueryPaymentForm(forms.Form):
    """Which payment the gateway is asked about."""

    payment_id = _hidden_id(_("请重新选择要查询的支付。"))

    def clean_payment_id(self) -> int:
        """Return the id of the payment."""
        payment_id = read_id(self.cleaned_data["payment_id"])
        if payment_id is None:
            raise ValidationError(_("请重新选择要查询的支付。"))
        return payment_id


class ReasonForm(forms.Form):
    """An act that needs a reason and nothing else."""

    reason = _reason(_("原因"))


class ReturnForm(forms.Form):
    """How a payment that paid for nothing goes back."""

    way = forms.ChoiceField(
        label=_("怎么退"),
        choices=(
            ("source", _("请支付通道原路退回")),
            ("hand", _("已线下退给客户，只记账")),
        ),
        initial="source",
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择怎么退。"), "invalid_choice": _("请选择怎么退。")},
    )
    reason = _reason(_("原因"))


__all__ = [
    "OLDEST_FIRST",
    "VIEWS",
    "CancelForm",
    "EmptyForm",
    "HandForm",
    "NoteForm",
    "OrderQuery",
    "QueryPaymentForm",
    "ReasonForm",
    "RefundForm",
    "ReplaceForm",
    "ReturnForm",
    "SettleForm",
    "read_order_query",
]
