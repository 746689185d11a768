"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class WithdrawalNotFound(NotFound):
    code = "withdrawal_not_found"
    message = _("没有这笔提现。")


class PayoutLinkInvalid(NotFound):
    code = "payout_link_invalid"
    message = _("收款链接无效，请让对方重新发一次。")


class BatchNotFound(NotFound):
    code = "payout_batch_not_found"
    message = _("没有这个打款批次。")


class SplitNotFound(NotFound):
    code = "split_not_found"
    message = _("没有这笔分账。")


class AccountNotFound(NotFound):
    code = "payout_account_not_found"
    message = _("没有这个收款账户，请刷新页面后重选。")


class AccountInvalid(Refusal):
    code = "payout_account_invalid"
    message = _("收款账户不正确：%(why)s")


class AccountKnown(Conflict):
    code = "payout_account_known"
    message = _("这个收款账户已经添加过了。")


class AccountCooling(Refusal):
    code = "payout_account_cooling"
    message = _("收款账户是新添加的，%(when)s 之后才能提现到这里。")


class ReceiverInvalid(Refusal):
    code = "split_receiver_invalid"
    message = _("分账接收方不正确：%(why)s")


class ReceiverRefused(Refusal):
    code = "split_receiver_refused"
    message = _("支付通道没有接受这个分账接收方：%(why)s")


class ReceiverUncertain(Refusal):
    code = "split_receiver_uncertain"
    status = 424
    message = _("支付通道暂时没有回答。接收方已保存，请稍后点“重新核实”。")


class SplitUnsupported(Refusal):
    code = "split_unsupported"
    message = _("这个支付通道不支持分账。")


class NotForMainSite(Refusal):
    code = "withdrawal_not_for_main_site"
    message = _("主站自己的收入在主站的商户账户里，不用提现。")


class ClaimShort(Conflict):
    code = "claim_short"
    message = _("现在可提现 ¥%(available)s，不够这次的金额。")


class LimitBroken(Refusal):
    code = "withdrawal_limit"
    message = _("%(why)s")


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    message = _("这次提交与上一次不同，请刷新页面后重试。")


class NotAllowedNow(Conflict):
    code = "withdrawal_not_allowed_now"
    message = _("这笔提现现在是“%(state)s”，不能这样操作。")


class SplitNotAllowedNow(Conflict):
    code = "split_not_allowed_now"
    message = _("这笔分账现在是“%(state)s”，不能这样操作。")


class OwnRequest(Refusal):
    code = "withdrawal_own_request"
    status = 403
    message = _("申请人不能审核自己的提现，请换一个人。")


class ApprovedAlready(Conflict):
    code = "withdrawal_approved_already"
    message = _("您已经同意过了，还要另一个人同意。")


class RiskUnread(Refusal):
    code = "withdrawal_risk_unread"
    message = _("这笔提现有风险提示，请核实后勾选“已核实”再同意。")


class ReasonMissing(Refusal):
    code = "withdrawal_reason_missing"
    message = _("请写明原因，申请人会看到。")


class PayoutUnsupported(Refusal):
    code = "payout_unsupported"
    message = _("这个支付通道不能打款到这种账户，请用银行批次打款。")


class BatchEmpty(Refusal):
    code = "payout_batch_empty"
    message = _("请勾选要打款的提现。")


class ResultUnreadable(Refusal):
    code = "payout_result_unreadable"
    message = _("%(why)s")


class TermsInvalid(Refusal):
    code = "settlement_terms_invalid"
    message = _("单笔最高不能低于单笔最低。")


class WithdrawalsOpen(Conflict):
    code = "withdrawals_open"
    message = _("这家店还有没办完的提现，请等它们打款、驳回或撤回后再接手。")


class SiteStays(Conflict):
    code = "site_stays"
    message = _("只有正在关店的站点才能这样结清。")


class ClaimMoved(Conflict):
    code = "claim_moved"
    message = _("金额刚刚变了，请核对后再结清。")
