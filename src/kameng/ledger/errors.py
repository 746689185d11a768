"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Refusal


class WalletShort(Refusal):
    code = "wallet_short"
    status = 402
    message = _("余额不足。")


class AdjustmentReasonMissing(Refusal):
    code = "adjustment_reason_missing"
    message = _("请填写金额和原因。")


class PrepaidShort(Refusal):
    code = "prepaid_short"
    status = 402
    message = _("预存款和信用额度不够，不能再减。")
