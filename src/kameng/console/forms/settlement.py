"""Forms of settlement: a withdrawal, the accounts it goes to, the main site's terms and answers."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import (
    LineField,
    PercentField,
    PickField,
    PlainField,
    WholeField,
    YuanField,
    read_id,
)
from kameng.console.forms.orders import KeyedForm
from kameng.payments.services.holding import OpenGateway
from kameng.settlement.claims import Claim
from kameng.settlement.models import AccountKind, PayoutAccount, Source, Terms
from kameng.settlement.services.accounts import AccountWish
from kameng.settlement.services.receivers import ReceiverWish
from kameng.settlement.services.requesting import WithdrawalWish
from kameng.settlement.services.terms import TermsWish

HIGH: Final = 1_000_000_000_000  # a hundred million yuan
RESULT_BYTES: Final = 4 << 20


class WithdrawForm(KeyedForm):
    """How much of which claim goes to which account."""

    source = PickField((), label=_("从哪里提"), as_segments=True)
    amount = YuanField(label=_("提多少"), low=100, high=HIGH)
    account = PickField((), label=_("提到哪里"))

    def __init__(
        self, *args: Any, claims: list[Claim], accounts: list[PayoutAccount], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        labels = dict(Source.choices)
        sources = [(each.source, labels[each.source]) for each in claims]
        choices = [(each.id, f"{each.get_kind_display()} {each.hint}") for each in accounts]
        self.fields["source"].choices = sources  # type: ignore[attr-defined]
        self.fields["source"].initial = sources[0][0] if sources else None
        self.fields["account"].choices = choices  # type: ignore[attr-defined]

    def clean_amount(self) -> int:
        """Return the amount in whole fen."""
        amount: int = self.cleaned_data["amount"]
        if amount % 100:
            raise ValidationError(_("提现最小到分，例如 12.50。"))
        return amount

    def wish(self) -> WithdrawalWish:
        """Return what the checked form asks for."""
        data = self.cleaned_data
        return WithdrawalWish(
            source=Source(int(data["source"])),
            amount=data["amount"],
            account_id=int(data["account"]),
            idempotency_key=data["idempotency_key"],
        )


class AccountForm(forms.Form):
    """A payout account."""

    kind = PickField(
        AccountKind.choices, label=_("类型"), initial=AccountKind.ALIPAY.value, as_segments=True
    )
    account = LineField(
        label=_("账号"),
        max_length=64,
        help_text=_(
            "支付宝填登录手机号或邮箱；微信填 OpenID；银行卡填卡号。保存后只显示首尾几位。"
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    name = LineField(
        label=_("真实姓名或公司全称"),
        max_length=60,
        help_text=_("要和账户的实名一致，否则打款会被退回。"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    bank_name = LineField(
        label=_("开户银行"),
        max_length=60,
        required=False,
        help_text=_("写到支行最好。"),
    )

    def wish(self) -> AccountWish:
        """Return what the checked form asks for."""
        data = self.cleaned_data
        return AccountWish(
            kind=AccountKind(data["kind"]),
            account=data["account"],
            name=data["name"],
            bank_name=data["bank_name"] if data["kind"] == AccountKind.BANK else "",
        )


class ReceiverForm(forms.Form):
    """Who gets the shares at one gateway."""

    gateway = PickField((), label=_("支付通道"))
    kind = PickField((), label=_("接收方类型"))
    account = LineField(
        label=_("接收方账号"),
        max_length=100,
        help_text=_("商户号，或支付平台认得的个人编号。保存后只显示首尾几位。"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    name = LineField(
        label=_("商户全称或姓名"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, gateways: list[OpenGateway], **options: Any) -> None:
        super().__init__(*args, **options)
        kinds = {code: label for each in gateways for code, label in each.provider.receiver_kinds}
        choices = [(each.gateway_id, each.name) for each in gateways]
        self.fields["gateway"].choices = choices  # type: ignore[attr-defined]
        self.fields["kind"].choices = list(kinds.items())  # type: ignore[attr-defined]

    def wish(self) -> ReceiverWish:
        """Return what the checked form asks for."""
        data = self.cleaned_data
        return ReceiverWish(
            gateway_id=int(data["gateway"]),
            kind=data["kind"],
            account=data["account"],
            name=data["name"],
        )


class RowForm(forms.Form):
    """Which row of a list an act is about."""

    row_id = forms.CharField(
        widget=forms.HiddenInput, max_length=18, error_messages={"required": _("请重新选择。")}
    )

    def clean_row_id(self) -> int:
        """Return the id."""
        found = read_id(self.cleaned_data["row_id"])
        if found is None:
            raise ValidationError(_("请重新选择。"))
        return found


class ApproveForm(forms.Form):
    """A yes, with the warnings read where there are some."""

    risks_read = forms.BooleanField(label=_("风险提示都已核实"), required=False)
    risks = forms.CharField(widget=forms.HiddenInput, required=False, max_length=400)

    def seen_risks(self) -> list[str]:
        """Return the warnings that the page showed and the person ticked as looked into."""
        data = self.cleaned_data
        return data["risks"].split(",") if data["risks_read"] else []


class ReasonForm(forms.Form):
    """A no, or a word about a payout, with its reason."""

    reason = PlainField(label=_("原因"), max_length=200, widget=forms.Textarea(attrs={"rows": 2}))


class ReturnForm(ReasonForm):
    """That a payout came back, with what bank or gateway said."""


class DecideForm(ReasonForm):
    """What a person found out about a payout at the bank or the gateway."""

    ended = PickField(
        (("paid", _("钱已经打出去了")), ("failed", _("没有打出去，退回可提现金额"))),
        label=_("查到的结果"),
        as_segments=True,
    )


class PayForm(forms.Form):
    """Through which gateway an approved withdrawal is paid."""

    gateway = PickField((), label=_("支付通道"))

    def __init__(self, *args: Any, gateways: list[OpenGateway], **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [(each.gateway_id, each.name) for each in gateways]
        self.fields["gateway"].choices = choices  # type: ignore[attr-defined]


class ResultForm(forms.Form):
    """The result file of a bank."""

    upload = forms.FileField(
        label=_("银行结果文件"),
        help_text=_("CSV 或 XLSX，要有打款编号、金额、结果三列。"),
        error_messages={
            "required": _("请选择文件。"),
            "empty": _("文件是空的，请检查后重新选择。"),
            "invalid": _("请选择文件。"),
            "missing": _("请选择文件。"),
        },
    )


class TermsForm(forms.Form):
    """The terms of settlement of all sub-sites, or of one."""

    hold_hours = WholeField(
        low=0,
        high=2160,
        label=_("结算等待（小时）"),
        help_text=_("发货后过这么久、没有退款在办，利润才能分账或提现。"),
    )
    cooling_hours = WholeField(
        low=0,
        high=720,
        label=_("换账户冷静期（小时）"),
        help_text=_("新的收款账户和分账接收方，过这么久才能用。"),
    )
    minimum_amount = YuanField(label=_("单笔最低"), low=100, high=HIGH)
    maximum_amount = YuanField(label=_("单笔最高"), low=100, high=HIGH)
    day_limit_amount = YuanField(label=_("每天最多"), low=100, high=HIGH)
    month_limit_amount = YuanField(label=_("每月最多"), low=100, high=HIGH)
    fee_bps = PercentField(high_bps=2000, label=_("手续费"))
    fee_minimum_amount = YuanField(label=_("最低手续费"), high=HIGH)
    tax_bps = PercentField(
        high_bps=4500,
        label=_("税率"),
        help_text=_("不代扣时只在申请页提示，由收款人自己申报。"),
    )
    withholds_tax = forms.BooleanField(
        label=_("代扣税款"), required=False, help_text=_("从提现里扣下，记在“代扣税款”账户。")
    )
    second_amount = YuanField(
        label=_("两人审核起点"),
        low=100,
        high=HIGH,
        help_text=_("从这个金额起，要两个不同的人同意。"),
    )
    large_amount = YuanField(
        label=_("大额提示起点"), low=100, high=HIGH, help_text=_("从这个金额起，审核时提示风险。")
    )

    def wish(self) -> TermsWish:
        """Return what the checked form says."""
        return TermsWish(**{name: self.cleaned_data[name] for name in TERMS})


TERMS: Final = tuple(TermsWish.__dataclass_fields__)


def terms_values(terms: Terms) -> dict[str, Any]:
    """Return stored terms as the form shows them."""
    values = {name: getattr(terms, name) for name in TERMS}
    for name in ("hold_hours", "cooling_hours"):
        values[name] = str(values[name])
    return values
