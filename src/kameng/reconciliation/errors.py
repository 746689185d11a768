"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class BillNotFound(NotFound):
    code = "bill_not_found"
    message = _("没有这一天的账单。")


class CaseNotFound(NotFound):
    code = "case_not_found"
    message = _("没有这个差异单。")


class BillAway(Refusal):
    code = "bill_away"
    status = 424  # what failed is the other side, not this server
    message = _("支付通道没有给出这一天的账单：%(why)s")


class BillNotFetchable(Refusal):
    code = "bill_not_fetchable"
    message = _("这个支付通道不能自动下载账单，请在通道后台导出后上传。")


class BillDayInvalid(Refusal):
    code = "bill_day_invalid"
    message = _("只能核对已经过完的一天，最早不超过一年。")


class BillUnreadable(Refusal):
    code = "bill_unreadable"
    message = _("这个文件不能当作账单：%(why)s")


class BillWithoutColumns(BillUnreadable):
    code = "bill_without_columns"
    message = _("这个文件里没有找到订单号和金额这两列，请检查导出的是不是账单。")


class CaseReasonMissing(Refusal):
    code = "case_reason_missing"
    message = _("请写明依据，以后查账的人要看得懂。")


class CaseChanged(Conflict):
    code = "case_changed"
    message = _("这个差异单刚刚被别人处理过，请刷新后再看。")


class CorrectionNotFitting(Refusal):
    code = "correction_not_fitting"
    message = _("这种处理办法不适用于这个差异。")


class MonthNotClosable(Refusal):
    code = "month_not_closable"
    message = _("这个月还不能关账：%(why)s")


class MonthUncompared(Refusal):
    code = "month_uncompared"
    message = _(
        "这个月有收款的日子还没有核对：%(accounts)s。请先核对，或勾选“仍然关账”并写明理由。"
    )


class MonthClosed(Conflict):
    code = "month_closed"
    message = _("这个月已经关账。")
