"""Refusals of this face."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import NotFound, Refusal


class FormInvalid(Refusal):
    code = "form_invalid"
    message = _("“%(label)s”填写不正确，请检查后再提交。")


class KeyMissing(Refusal):
    code = "idempotency_key_missing"
    message = _("页面已失效，请刷新后再提交。您没有被扣款。")


class ConsentMissing(Refusal):
    code = "consent_missing"
    message = _("请先勾选确认，再付款。")


class PayMissing(Refusal):
    code = "pay_missing"
    message = _("请选择支付方式。")


class PayerStateInvalid(Refusal):
    code = "payer_state_invalid"
    message = _("身份确认已失效，请回到付款页重新点击付款。您没有被扣款。")


class WalletOff(Refusal):
    code = "wallet_off"
    message = _("本店没有开通余额付款，请选择其他支付方式。")


class TermsNotAccepted(Refusal):
    code = "terms_not_accepted"
    message = _("请先阅读并同意用户协议和隐私政策。")


class PhoneLookup(Refusal):
    code = "phone_lookup"
    message = _("手机号暂时收不到验证码。请打开下单后的链接查看，或联系客服查询。")


class TopUpNotFound(NotFound):
    code = "top_up_not_found"
    message = _("没有找到这笔充值。")
