"""Forms of reconciliation: a bill to take in, decisions about a difference, a closed month."""

import datetime as dt
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import TextField
from kameng.core.tabular import MAX_BYTES

REASON_MAX: Final = 500


def _reason(label: Any, **options: Any) -> TextField:
    return TextField(
        label=label,
        rows=2,
        max_length=REASON_MAX,
        error_messages={"required": _("请写明依据，以后查账的人要看得懂。")},
        **options,
    )


class BillForm(forms.Form):
    """A bill that was exported from the gateway's own pages."""

    file = forms.FileField(
        label=_("账单文件"),
        help_text=_(
            "CSV 或 XLSX，列名会自动识别，要有商户订单号（或交易号）和金额。分账和转账请另传："
            "微信的资金账单、分账账单，支付宝的账务明细。"
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx,.xls"}),
        error_messages={
            "required": _("请选择账单文件。"),
            "empty": _("文件是空的，请检查后重新选择。"),
        },
    )

    def clean_file(self) -> Any:
        """Refuse what is too large to be read at once."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            text = _("文件超过 %(limit)s MiB，请按天导出。") % {"limit": MAX_BYTES >> 20}
            raise ValidationError(text)
        return file


class CaseNoteForm(forms.Form):
    """A note on a case."""

    text = _reason(_("备注"), help_text=_("查了什么、问了谁、答复是什么。"))


class CaseReasonForm(forms.Form):
    """Why a case is closed, opened again, or booked."""

    text = _reason(_("依据"))


class CloseMonthForm(forms.Form):
    """Closing a month; with open days or differences the reason is asked for."""

    month = forms.CharField(max_length=7, widget=forms.HiddenInput)
    reason = TextField(
        label=_("理由"),
        rows=2,
        max_length=REASON_MAX,
        required=False,
        help_text=_("还有没核对的天或没处理的差异时必须写。"),
    )
    accepts_uncompared = forms.BooleanField(required=False)

    def clean_month(self) -> dt.date:
        """Return the first day of the month."""
        month = read_month(self.cleaned_data["month"])
        if month is None:
            raise ValidationError(_("请重新选择月份。"))
        return month


def read_month(text: str) -> dt.date | None:
    """Return the first day of a month written as 2026-11, or None."""
    try:
        return dt.date.fromisoformat(f"{text}-01") if len(text) == 7 else None
    except ValueError:
        return None


def read_day(text: str) -> dt.date | None:
    """Return a day written as 2026-11-19, or None."""
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
