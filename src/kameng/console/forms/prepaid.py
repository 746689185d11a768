"""Forms of prepaid wholesale: paying in, booking and correcting, the credit line, the way."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import LineField, PickField, YuanField
from kameng.console.forms.orders import KeyedForm
from kameng.tenancy.models import SettlementWay

MAX_PREPAID: Final = 10_000_000_000
WAYS: Final = (
    (SettlementWay.CLAIM, _("记账提现：买家付给主站，分站利润记账，申请后打款")),
    (SettlementWay.SPLIT, _("支付分账：买家付给主站，通道按每笔订单把利润分给分站")),
    (SettlementWay.PREPAID, _("预存进货：买家付给分站自己的商户号，进货价从预存款里扣")),
)


class _FenForm(KeyedForm):
    """An amount in whole fen, once a form."""

    def clean_amount(self) -> int:
        """Return the amount in whole fen."""
        amount = int(self.cleaned_data["amount"])
        if amount % 100:
            raise ValidationError(_("金额最小到分，例如 12.50。"))
        return amount


class PayInForm(_FenForm):
    """How much an operator pays in ahead, and through which gateway of the main site."""

    amount = YuanField(label=_("预存金额"), low=10_000, high=MAX_PREPAID)
    gateway_id = PickField((), label=_("支付方式"))

    def __init__(self, *args: Any, gateways: list[tuple[int, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["gateway_id"].choices = gateways  # type: ignore[attr-defined]


class BookForm(_FenForm):
    """What the main site's staff book: a transfer that came, or a correction either way."""

    way = PickField(
        (("bank", _("银行转账已到账")), ("up", _("更正：增加")), ("down", _("更正：减少"))),
        label=_("项目"),
    )
    amount = YuanField(label=_("金额"), low=100, high=MAX_PREPAID)
    reason = LineField(
        label=_("原因"), max_length=200, help_text=_("会记入审计日志，例如转账日期和流水号。")
    )


class CreditForm(forms.Form):
    """How far below zero a prepaid balance may fall."""

    amount = YuanField(
        label=_("信用额度"), high=MAX_PREPAID, help_text=_("0 表示预存款用完就停止下单。")
    )
    reason = LineField(label=_("原因"), max_length=200)


class AlertForm(forms.Form):
    """Below which balance the operator is told."""

    amount = YuanField(
        label=_("低于多少时提醒"),
        high=MAX_PREPAID,
        help_text=_("后台首页会提示；用邮箱登录的站长还会收到一封邮件。"),
    )


class WayForm(forms.Form):
    """How a sub-site comes to its share from now on."""

    way = PickField(WAYS, label=_("结算方式"))
    reason = LineField(label=_("原因"), max_length=200, help_text=_("会记入审计日志。"))
