"""Forms about customers: a remark, a lock with its reason, and a wallet moved by hand."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import TextField, YuanField
from kameng.console.forms.orders import KeyedForm, ReasonForm


class CustomerNoteForm(forms.Form):
    """The operator's own remark about a customer; may be empty."""

    note = TextField(
        label=_("备注"),
        rows=2,
        max_length=200,
        required=False,
        help_text=_("只有后台看得到。"),
    )


class AdjustForm(KeyedForm):
    """How much a wallet is moved by hand, which way, and why."""

    way = forms.ChoiceField(
        label=_("增加还是扣减"),
        choices=(("up", _("增加余额")), ("down", _("扣减余额"))),
        initial="up",
        widget=forms.RadioSelect,
        error_messages={
            "required": _("请选择增加还是扣减。"),
            "invalid_choice": _("请选择增加还是扣减。"),
        },
    )
    amount = YuanField(
        label=_("金额"), low=100, error_messages={"required": _("请填写金额，例如 12.50。")}
    )
    reason = TextField(
        label=_("原因"),
        rows=2,
        max_length=200,
        help_text=_("会记入审计日志，例如：线下转账充值，流水号 8841。"),
        error_messages={"required": _("请写明原因，它会记入审计日志。")},
    )

    def clean_amount(self) -> int:
        """Return the amount in whole fen."""
        amount = int(self.cleaned_data["amount"])
        if amount % 100:
            raise ValidationError(_("金额最小到分，例如 12.50。"))
        return amount

    def signed_amount(self) -> int:
        """Return the amount with its sign."""
        amount: int = self.cleaned_data["amount"]
        return amount if self.cleaned_data["way"] == "up" else -amount


class LockForm(ReasonForm):
    """Switching a customer off, with a reason."""


__all__ = ["AdjustForm", "CustomerNoteForm", "LockForm"]
