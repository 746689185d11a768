"""Forms about odd payments, evidence, returns of top-ups, disputes and bonuses."""

import datetime as dt
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import LineField, PercentField, TextField, WholeField, YuanField
from kameng.console.forms.orders import KeyedForm, ReasonForm

REASON: Final = {"required": _("请写明原因，它会记入审计日志。")}


def reason_field(**options: Any) -> TextField:
    """Return the field of a reason that is kept in the audit log."""
    values = {"label": _("原因"), "rows": 2, "max_length": 200, "error_messages": REASON}
    return TextField(**{**values, **options})


def check_fen(amount: int | None) -> int | None:
    """Return an amount of whole fen; raise ValidationError."""
    if amount is not None and amount % 100:
        raise ValidationError(_("金额最小到分，例如 12.50。"))
    return amount


class VouchForm(forms.Form):
    """The evidence for a payment that its gateway does not confirm."""

    evidence = TextField(
        label=_("凭什么确认"),
        rows=3,
        max_length=400,
        help_text=_("例如：商户后台看到收款、银行流水号、买家的付款截图。会记入日志。"),
        error_messages={"required": _("请写明凭什么确认，例如收款截图、银行流水号。")},
    )
    external_no = LineField(
        label=_("通道交易号"),
        max_length=64,
        required=False,
        help_text=_("在商户后台看到的交易号，一个号只能确认一笔。"),
    )


class AcceptForm(forms.Form):
    """What becomes of a payment of another amount that is taken all the same."""

    way = forms.ChoiceField(
        label=_("多付的钱"),
        choices=(
            ("source", _("请支付通道原路退回")),
            ("wallet", _("退到客户余额")),
            ("hand", _("已线下退给客户，只记账")),
        ),
        initial="source",
        required=False,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": _("请选择怎么退。")},
    )
    reason = reason_field()


class RestForm(forms.Form):
    """For how long a buyer who paid too little may pay the rest, and why he is asked."""

    hours = WholeField(
        label=_("等几小时"),
        low=1,
        high=72,
        initial=24,
        help_text=_("1 到 72。到时没有补，已付的钱自动退回。"),
    )
    reason = reason_field()


class DecideForm(forms.Form):
    """A second person's decision; a refusal says why."""

    decision = forms.ChoiceField(
        choices=(("approve", ""), ("refuse", ""), ("withdraw", "")), widget=forms.HiddenInput
    )
    note = TextField(label=_("说明"), rows=2, max_length=400, required=False)


class TopUpReturnForm(KeyedForm):
    """How much of a top-up goes back to its source, and why."""

    amount = YuanField(
        label=_("退多少"), low=100, required=False, help_text=_("留空就是把没用的本金全部退掉。")
    )
    reason = reason_field()

    def clean_amount(self) -> int | None:
        """Return the amount in whole fen, or None for all that is unused."""
        return check_fen(self.cleaned_data["amount"])


class ReturnWayForm(forms.Form):
    """What becomes of a return that the gateway refused."""

    way = forms.ChoiceField(
        label=_("怎么处理"),
        choices=(
            ("again", _("再请支付通道退一次")),
            ("wallet", _("放回客户余额")),
            ("hand", _("已线下退给客户，只记账")),
        ),
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择处理方式。"), "invalid_choice": _("请选择处理方式。")},
    )
    reason = reason_field()


class DisputeForm(forms.Form):
    """A dispute that the gateway told of by mail or on its own pages."""

    payment_no = LineField(
        label=_("支付单号"), max_length=32, help_text=_("我们的支付单号，18 位。")
    )
    dispute_no = LineField(
        label=_("争议编号"), max_length=64, help_text=_("支付平台邮件或商户后台里的投诉单号。")
    )
    amount = YuanField(label=_("争议金额"), low=100)
    held_amount = YuanField(
        label=_("已被冻结"),
        required=False,
        help_text=_("平台已经从您的商户号冻结或扣走的钱，没有就留空。"),
    )
    answer_by = forms.DateField(
        label=_("最晚答复"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": _("请填写日期。")},
    )
    reason = reason_field(label=_("买家的理由"), max_length=400)

    def answer_moment(self, zone: ZoneInfo) -> dt.datetime | None:
        """Return the end of the last day, in the site's time zone."""
        day: dt.date | None = self.cleaned_data["answer_by"]
        if day is None:
            return None
        return dt.datetime.combine(day, dt.time(23, 59, 59), tzinfo=zone).astimezone(dt.UTC)


class AnswerForm(forms.Form):
    """What the shop answers to a dispute."""

    evidence = TextField(
        label=_("证据和答复"),
        rows=6,
        max_length=20_000,
        help_text=_("发货时间、买家查看卡密的时间、聊天记录等，提交给平台时照着写。"),
    )


class VerdictForm(ReasonForm):
    """How a dispute ended."""

    verdict = forms.ChoiceField(
        label=_("结果"),
        choices=(("won", _("胜诉：钱还是我们的")), ("lost", _("败诉：钱退给了买家"))),
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择结果。"), "invalid_choice": _("请选择结果。")},
    )


class BonusRuleForm(forms.Form):
    """Put in so much, get so much more."""

    min_amount = YuanField(label=_("充满"), low=10_000)
    bonus_amount = YuanField(label=_("送多少元"), required=False)
    bonus_bps = PercentField(
        high_bps=10_000, label=_("或送百分之几"), required=False, help_text=_("两个只填一个。")
    )
    is_once = forms.BooleanField(
        label=_("每人一次"), required=False, help_text=_("同一个客户只送一次，适合首充。")
    )
    starts_on = forms.DateField(
        label=_("开始"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    ends_on = forms.DateField(
        label=_("最后一天"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def moment(self, name: str, zone: ZoneInfo) -> dt.datetime | None:
        """Return where a day begins, or where the last one ends, in the site's time zone."""
        day: dt.date | None = self.cleaned_data[name]
        if day is None:
            return None
        day += dt.timedelta(days=1 if name == "ends_on" else 0)
        return dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
