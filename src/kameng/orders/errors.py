"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class OrderNotFound(NotFound):
    code = "order_not_found"
    message = _("没有找到这个订单。")


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    message = _("这次提交与上一次不同，请刷新页面后重新下单。")


class PriceMoved(Conflict):
    code = "price_moved"
    message = _("价格或商品刚刚有变化，请查看最新价格后再下单，您还没有被扣款。")


class OutOfStock(Conflict):
    code = "out_of_stock"
    message = _("库存不足，您没有被扣款。可以减少数量，或稍后再来看看。")


class NotEnoughMoney(Refusal):
    code = "not_enough_money"
    status = 402
    message = _("余额不足，请先充值，或选择其他支付方式。")


class ShopPaused(Conflict):
    code = "shop_paused"
    message = _("本店暂时不能下单，请稍后再试。您没有被扣款。")


class TooManyOpenOrders(Refusal):
    code = "too_many_open_orders"
    status = 429
    message = _("一个人未付款时能占用的库存有限：请减少数量，或先付款、取消未付款的订单。")


class ContactInvalid(Refusal):
    code = "contact_invalid"
    message = _("请填写正确的邮箱或手机号，用来找回订单。")


class TotalMismatch(Conflict):
    code = "total_mismatch"
    message = _("应付金额已变为 ¥%(total)s，请确认后重新提交，您还没有被扣款。")


class SignInNeeded(Refusal):
    code = "sign_in_needed"
    status = 401
    message = _("请先登录。")


class GatewayUnavailable(Refusal):
    code = "gateway_unavailable"
    message = _("这个支付方式暂不可用，请换一个。")


class NotAllowedNow(Conflict):
    code = "order_state_forbids"
    message = _("订单当前状态是“%(state)s”，不能这样操作。请刷新页面查看最新状态。")


class RefundTooLarge(Refusal):
    code = "refund_too_large"
    message = _("最多还能退 ¥%(left)s。")


class RefundRouteMissing(Refusal):
    code = "refund_route_missing"
    message = _("这个订单不能这样退款：%(why)s")


class AwaitsPrepaid(Conflict):
    code = "awaits_prepaid"
    message = _("这个订单在等待预存款：预存款够了会自动发货，现在不能发货。")


class RefundWholeOnly(Refusal):
    code = "refund_whole_only"
    message = _("这个订单在等待预存款，还没有发货：只能全额退款。")


class OpenedByItself(Conflict):
    code = "opened_by_itself"
    message = _("开店套餐由系统自动开通，不能手工发货。请在订单里点“再试一次”，或退款。")


class FreeOnce(Conflict):
    code = "free_once"
    message = _("免费开店和试用每人只有一次，您已经用过了。请选一个付费套餐。")


class PlanLinkOver(NotFound):
    code = "plan_link_over"
    message = _("这个续费链接已失效，请回到店铺后台的“我的套餐”重新打开。")


class LinkInvalid(NotFound):
    code = "order_link_invalid"
    message = _("链接无效或订单不存在。请使用下单时的链接，或用联系方式查询。")


class KeyNotReplaceable(Conflict):
    code = "key_not_replaceable"
    message = _("没有可换的库存，或这张卡密不属于该订单。")


class EvidenceHoldsKey(Refusal):
    code = "evidence_holds_key"
    message = _("答复里有这个订单的卡密。卡密不能交给平台，请删掉后再提交或下载。")
