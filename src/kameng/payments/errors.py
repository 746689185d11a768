"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class GatewayNotFound(NotFound):
    code = "gateway_not_found"
    message = _("没有这个支付通道。")


class GatewayNotUsable(Refusal):
    code = "gateway_not_usable"
    message = _("这个支付方式暂不可用，请换一个。")


class GatewayConfigInvalid(Refusal):
    """The credentials cannot be taken; `problems` maps a field to a sentence."""

    code = "gateway_config_invalid"
    message = _("支付通道的资料不完整或不正确，请按提示修改。")

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__()
        self.problems = problems


class GatewayCheckFailed(Refusal):
    code = "gateway_check_failed"
    message = _("通道没有通过测试：%(why)s")


class AccountUnable(GatewayNotUsable):
    """This merchant account cannot take the payment, nothing happened there: another one may."""

    code = "account_unable"
    message = _("这个支付方式暂时不能用，您没有被扣款。订单还在，请换一种方式付款。")


class GatewayAway(Refusal):
    code = "gateway_away"
    status = 424  # what failed is the other side, not this server
    message = _("支付通道暂时没有响应，请稍后再试，或换一种支付方式。您没有被扣款。")


class OwnGatewaysOff(Refusal):
    code = "own_gateways_off"
    message = _("您的店由主站统一收款，不能添加自己的支付通道。")


class WayInvalid(Refusal):
    code = "way_invalid"
    message = _("请选择一个独立的支付方式；已有其他账户归入的支付方式不能再归入别处。")


class PayerUnknown(Refusal):
    """The gateway must be told who pays, by its own id of that person."""

    code = "payer_unknown"
    message = _("支付平台需要先确认您的身份，请重新点击付款。")


class WrongDevice(Refusal):
    """The chosen way does not work where the buyer is now."""

    code = "wrong_device"
    message = _("这个支付方式在当前设备上不能用，请换一个，或换一台设备打开本页。")


class PaymentNotFound(NotFound):
    code = "payment_not_found"
    message = _("没有这笔支付。")


class PaymentClosed(Conflict):
    code = "payment_closed"
    message = _("这笔支付已关闭或已完成，请刷新页面查看订单状态。")


class RefundTooMuch(Conflict):
    code = "refund_too_much"
    message = _("退款金额超过了这笔支付的剩余金额。")


class RefundUnsupported(Refusal):
    code = "refund_unsupported"
    message = _("这个支付通道不支持原路退款，请退到余额或线下退款。")


class TopUpAmountInvalid(Refusal):
    code = "top_up_amount_invalid"
    message = _("充值金额需在 ¥%(low)s 到 ¥%(high)s 之间，最多两位小数。")


class TopUpKeyReused(Conflict):
    code = "idempotency_key_reused"
    message = _("这次提交与上一次不同，请刷新页面后重试。")


class PrepaidAmountInvalid(Refusal):
    code = "prepaid_amount_invalid"
    message = _("金额需在 ¥%(low)s 到 ¥%(high)s 之间，最多两位小数。")


class PrepaidReasonMissing(Refusal):
    code = "prepaid_reason_missing"
    message = _("请填写金额和原因。")


class PrepaidKeyReused(Conflict):
    code = "prepaid_key_reused"
    message = _("这次提交与上一次不同，请刷新页面后重试。")


class EvidenceMissing(Refusal):
    code = "evidence_missing"
    message = _("请写明凭什么确认，例如收款截图、银行流水号。")


class VoucherRefused(Conflict):
    code = "voucher_refused"
    message = _("没有确认：这笔支付刚刚被处理，或这个交易号已经用在别的支付上。")


class PaymentDisputed(Conflict):
    code = "payment_disputed"
    message = _("这笔支付有争议在处理，结束之前不能退款。")


class DisputeNotFound(NotFound):
    code = "dispute_not_found"
    message = _("没有这条争议。")


class DisputeOver(Conflict):
    code = "dispute_over"
    message = _("这条争议已经结束，请刷新页面。")


class DisputeKnown(Conflict):
    code = "dispute_known"
    message = _("这个争议编号已经登记过。")


class WalletFull(Refusal):
    code = "wallet_full"
    message = _("余额最多 ¥%(cap)s，现在还能充 ¥%(room)s。")


class TopUpNotFound(NotFound):
    code = "top_up_not_found"
    message = _("没有这笔充值。")


class NotReturnable(Refusal):
    code = "not_returnable"
    message = _("这笔充值还能退 ¥%(left)s，请按这个金额以内填写。")


class ReturnTooLate(Refusal):
    code = "return_too_late"
    message = _("充值超过 7 天，请联系客服退回。")


class ReturnNotWaiting(Conflict):
    code = "return_not_waiting"
    message = _("这笔退回已经处理过，请刷新页面。")


class BonusRuleInvalid(Refusal):
    code = "bonus_rule_invalid"
    message = _("请填写充值满多少、送多少，送的金额和比例只能选一个。")


class BonusRuleNotFound(NotFound):
    code = "bonus_rule_not_found"
    message = _("没有这条赠送规则。")


class AcceptRefused(Conflict):
    code = "accept_refused"
    message = _("不能按这笔付款发货：订单已经付过，或没有库存、余额已到上限。请把钱退回。")


class ShortfallRefused(Conflict):
    code = "shortfall_refused"
    message = _("这笔支付不能请买家补差价：没有少付、已经请过了，或订单已经付清。")


class ShortfallOver(Conflict):
    code = "shortfall_over"
    message = _("补差价的时间已过，或这一单已经处理好了。请刷新订单页面查看，不用再付。")


class EvidenceUnsupported(Refusal):
    code = "evidence_unsupported"
    message = _("这个争议不能在这里提交，请下载证据包，到支付平台上提交。")


class AnswerMissing(Refusal):
    code = "answer_missing"
    message = _("请先写好答复并保存，再提交给平台。")
