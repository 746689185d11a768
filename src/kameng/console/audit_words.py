"""The audit log in words: what each act is called, and its figures as a person reads them."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from kameng.pricing.money import Amount, format_yuan
from kameng.pricing.trace import format_rate

ACTION_GROUPS: Final = {
    "month": _("月份"),
    "order": _("订单"),
    "payment": _("支付"),
    "product": _("商品"),
    "variant": _("规格"),
    "category": _("分类"),
    "prices": _("价格"),
    "price_rule": _("加价规则"),
    "card_key": _("卡密"),
    "bill": _("账单"),
    "card_batch": _("卡密批次"),
    "import": _("导入"),
    "stock": _("库存"),
    "customer": _("客户"),
    "ledger": _("余额"),
    "gateway": _("支付通道"),
    "settlement": _("结算"),
    "site": _("站点"),
    "plan": _("套餐"),
    "staff": _("员工"),
    "approval": _("复核"),
    "top_up": _("充值"),
    "dispute": _("争议"),
    "data": _("导出"),
}
ACTIONS: Final = {
    "category.created": pgettext_lazy("act", "添加分类"),
    "category.changed": pgettext_lazy("act", "修改分类"),
    "category.deleted": pgettext_lazy("act", "删除分类"),
    "product.created": pgettext_lazy("act", "添加商品"),
    "product.changed": pgettext_lazy("act", "修改商品"),
    "product.moved": pgettext_lazy("act", "移动商品到分类"),
    "product.listed": pgettext_lazy("act", "上架或下架商品"),
    "product.pinned": pgettext_lazy("act", "置顶或取消置顶"),
    "product.ranked": pgettext_lazy("act", "调整商品排序"),
    "variant.created": pgettext_lazy("act", "添加规格"),
    "variant.changed": pgettext_lazy("act", "修改规格"),
    "prices.changed": pgettext_lazy("act", "批量改价"),
    "price_rule.saved": pgettext_lazy("act", "保存加价规则"),
    "price_rule.deleted": pgettext_lazy("act", "删除加价规则"),
    "card_key.revealed": pgettext_lazy("act", "查看卡密内容"),
    "card_batch.withdrawn": pgettext_lazy("act", "撤回卡密批次"),
    "card_batch.restored": pgettext_lazy("act", "恢复卡密批次"),
    "import.started": pgettext_lazy("act", "开始导入"),
    "import.undone": pgettext_lazy("act", "撤销导入"),
    "stock.level.set": pgettext_lazy("act", "设置库存"),
    "gateway.created": pgettext_lazy("act", "添加支付通道"),
    "gateway.changed": pgettext_lazy("act", "修改支付通道"),
    "gateway.tested": pgettext_lazy("act", "测试支付通道"),
    "gateway.switched": pgettext_lazy("act", "启用或停用支付通道"),
    "gateway.frozen": pgettext_lazy("act", "冻结支付通道"),
    "gateway.moved": pgettext_lazy("act", "调整支付方式的顺序"),
    "gateway.rested": pgettext_lazy("act", "支付通道连续出错，暂停使用"),
    "gateway.recovered": pgettext_lazy("act", "支付通道恢复使用"),
    "gateway.woken": pgettext_lazy("act", "手动恢复支付通道"),
    "settlement.terms.changed": pgettext_lazy("act", "修改结算规则"),
    "settlement.terms.dropped": pgettext_lazy("act", "改回通用结算规则"),
    "settlement.account.added": pgettext_lazy("act", "添加收款账户"),
    "settlement.account.removed": pgettext_lazy("act", "移除收款账户"),
    "settlement.receiver.added": pgettext_lazy("act", "设置分账接收方"),
    "settlement.receiver.proved": pgettext_lazy("act", "核实分账接收方"),
    "settlement.withdrawal.requested": pgettext_lazy("act", "申请提现"),
    "settlement.withdrawal.taken_back": pgettext_lazy("act", "撤回提现"),
    "settlement.withdrawal.approved": pgettext_lazy("act", "同意提现"),
    "settlement.withdrawal.refused": pgettext_lazy("act", "驳回提现"),
    "settlement.receiver.removed": pgettext_lazy("act", "移除分账接收方"),
    "settlement.payout.returned": pgettext_lazy("act", "登记提现退票"),
    "settlement.withdrawal.reopened": pgettext_lazy("act", "提现退回重审"),
    "settlement.payout.started": pgettext_lazy("act", "通过支付通道打款"),
    "settlement.payout.decided": pgettext_lazy("act", "人工登记打款结果"),
    "settlement.batch.made": pgettext_lazy("act", "做银行打款批次"),
    "settlement.batch.result": pgettext_lazy("act", "核对银行结果"),
    "settlement.split.retried": pgettext_lazy("act", "重新分账"),
    "settlement.split.given_up": pgettext_lazy("act", "放弃分账"),
    "site.opened": pgettext_lazy("act", "开通站点"),
    "site.changed": pgettext_lazy("act", "修改站点"),
    "site.settings.changed": pgettext_lazy("act", "修改店铺设置"),
    "site.settlement_way.changed": pgettext_lazy("act", "切换结算方式"),
    "prepaid.started": pgettext_lazy("act", "发起预存货款"),
    "prepaid.booked": pgettext_lazy("act", "记账预存货款"),
    "prepaid.adjusted": pgettext_lazy("act", "调整预存款"),
    "prepaid.credit_changed": pgettext_lazy("act", "设置信用额度"),
    "site.state.changed": pgettext_lazy("act", "停用或恢复站点"),
    "site.domain.added": pgettext_lazy("act", "添加网址"),
    "site.domain.removed": pgettext_lazy("act", "移除网址"),
    "plan.saved": pgettext_lazy("act", "保存套餐"),
    "staff.invited": pgettext_lazy("act", "邀请员工"),
    "staff.invitation.sent_again": pgettext_lazy("act", "重新发送邀请"),
    "staff.invitation.withdrawn": pgettext_lazy("act", "撤回邀请"),
    "staff.joined": pgettext_lazy("act", "接受邀请加入"),
    "staff.suspended": pgettext_lazy("act", "停用员工"),
    "staff.resumed": pgettext_lazy("act", "恢复员工"),
    "staff.confirmed": pgettext_lazy("act", "敏感操作前确认本人"),
    "staff.role.made": pgettext_lazy("act", "新建角色"),
    "staff.role.changed": pgettext_lazy("act", "修改角色"),
    "staff.role.deleted": pgettext_lazy("act", "删除角色"),
    "staff.totp.added": pgettext_lazy("act", "启用验证器"),
    "staff.totp.removed": pgettext_lazy("act", "停用验证器"),
    "staff.passkey.added": pgettext_lazy("act", "添加通行密钥"),
    "staff.passkey.removed": pgettext_lazy("act", "移除通行密钥"),
    "staff.passkey.copied": pgettext_lazy("act", "通行密钥疑似被复制，已拒绝"),
    "staff.recovery.used": pgettext_lazy("act", "用恢复码登录"),
    "staff.recovery.renewed": pgettext_lazy("act", "重新生成恢复码"),
    "staff.second_factor.reset": pgettext_lazy("act", "重置两步验证"),
    "staff.created": pgettext_lazy("act", "添加员工"),
    "staff.role.granted": pgettext_lazy("act", "授予角色"),
    "staff.role.revoked": pgettext_lazy("act", "移除员工"),
    "staff.activated": pgettext_lazy("act", "恢复员工账号"),
    "staff.deactivated": pgettext_lazy("act", "停用员工账号"),
    "staff.password.changed": pgettext_lazy("act", "修改员工密码"),
    "staff.signed_in": pgettext_lazy("act", "员工登录"),
    "staff.signed_out": pgettext_lazy("act", "员工退出"),
    "approval.asked": pgettext_lazy("act", "提交复核"),
    "approval.given": pgettext_lazy("act", "通过复核"),
    "approval.refused": pgettext_lazy("act", "拒绝复核"),
    "approval.withdrawn": pgettext_lazy("act", "撤回待复核"),
    "customer.named": pgettext_lazy("act", "标记已实名"),
    "customer.unnamed": pgettext_lazy("act", "取消已实名"),
    "customer.flagged": pgettext_lazy("act", "标记为重点关注"),
    "customer.unflagged": pgettext_lazy("act", "取消重点关注"),
    "customer.locked": pgettext_lazy("act", "停用客户"),
    "customer.unlocked": pgettext_lazy("act", "恢复客户"),
    "ledger.wallet.adjusted": pgettext_lazy("act", "调整客户余额"),
    "order.cancelled": pgettext_lazy("act", "取消订单"),
    "order.refunded": pgettext_lazy("act", "退款"),
    "order.refund_settled": pgettext_lazy("act", "处理退款失败"),
    "order.delivered_by_hand": pgettext_lazy("act", "人工发货"),
    "order.delivered_from_stock": pgettext_lazy("act", "从库存发货"),
    "order.key_replaced": pgettext_lazy("act", "换卡密，旧的作废"),
    "order.resent": pgettext_lazy("act", "重发通知"),
    "order.remark": pgettext_lazy("act", "备注"),
    "order.taken": pgettext_lazy("act", "接单处理"),
    "order.goods_revealed": pgettext_lazy("act", "查看卡密内容"),
    "order.contact_revealed": pgettext_lazy("act", "查看联系方式"),
    "customer.login_revealed": pgettext_lazy("act", "查看联系方式"),
    "customer.signed_out": pgettext_lazy("act", "让客户重新登录"),
    "import.discarded": pgettext_lazy("act", "放弃导入"),
    "payment.mismatch_returned": pgettext_lazy("act", "退回金额不符或重复的付款"),
    "payment.returned_by_hand": pgettext_lazy("act", "登记线下退回的付款"),
    "payment.queried": pgettext_lazy("act", "查询付款"),
    "payment.refund_hurried": pgettext_lazy("act", "让通道退款马上重试"),
    "payment.vouched": pgettext_lazy("act", "凭证据确认收款"),
    "payment.surplus_accepted": pgettext_lazy("act", "多付的订单按应收发货"),
    "payment.surplus_source": pgettext_lazy("act", "多付的钱原路退回"),
    "payment.surplus_wallet": pgettext_lazy("act", "多付的钱退到余额"),
    "payment.surplus_hand": pgettext_lazy("act", "登记线下退回的多付款"),
    "payment.rest_asked": pgettext_lazy("act", "请买家补差价"),
    "payment.short_accepted": pgettext_lazy("act", "免收差额并发货"),
    "top_up.returned": pgettext_lazy("act", "退回充值"),
    "top_up.return_again": pgettext_lazy("act", "再次请通道退回充值"),
    "top_up.return_wallet": pgettext_lazy("act", "退回不成，放回余额"),
    "top_up.return_hand": pgettext_lazy("act", "登记线下退回的充值"),
    "top_up.bonus_rule_added": pgettext_lazy("act", "添加充值赠送"),
    "top_up.bonus_rule_ended": pgettext_lazy("act", "结束充值赠送"),
    "dispute.evidence_sent": pgettext_lazy("act", "提交争议证据"),
    "dispute.opened": pgettext_lazy("act", "登记争议"),
    "dispute.answered": pgettext_lazy("act", "保存争议答复"),
    "dispute.won": pgettext_lazy("act", "争议胜诉"),
    "dispute.lost": pgettext_lazy("act", "争议败诉"),
    "bill.asked": pgettext_lazy("act", "下载账单"),
    "bill.uploaded": pgettext_lazy("act", "上传账单"),
    "case.assigned": pgettext_lazy("act", "指派差异单"),
    "case.noted": pgettext_lazy("act", "备注差异单"),
    "case.queried": pgettext_lazy("act", "为差异单查询通道"),
    "case.booked": pgettext_lazy("act", "把差异记入账本"),
    "case.closed": pgettext_lazy("act", "关闭差异单"),
    "case.reopened": pgettext_lazy("act", "重开差异单"),
    "month.closed": pgettext_lazy("act", "月度关账"),
    "email.retried": pgettext_lazy("act", "重发邮件"),
    "data.exported": pgettext_lazy("act", "导出数据"),
}
SUBJECTS: Final = {
    "approval": _("复核"),
    "bill": _("账单"),
    "bonus_rule": _("充值赠送规则"),
    "card_batch": _("卡密批次"),
    "card_key": _("卡密"),
    "case": _("差异单"),
    "category": _("分类"),
    "dispute": _("争议"),
    "top_up": _("充值"),
    "customer": _("客户"),
    "domain": _("网址"),
    "email": _("邮件"),
    "prepaid": _("预存货款"),
    "gateway": _("支付通道"),
    "import": _("导入"),
    "list": _("列表"),
    "month": _("月份"),
    "order": _("订单"),
    "payment": _("支付"),
    "payout_account": _("收款账户"),
    "payout_batch": _("打款批次"),
    "split": _("分账"),
    "split_receiver": _("分账接收方"),
    "withdrawal": _("提现"),
    "plan": _("套餐"),
    "price_rule": _("加价规则"),
    "product": _("商品"),
    "refund": _("退款"),
    "site": _("站点"),
    "user": _("员工"),
    "variant": _("规格"),
}
_ACTORS: Final = {"system": _("系统"), "customer": _("客户"), "user": _("员工")}
_NAMES: Final = {
    "before": _("修改前"),
    "after": _("修改后"),
    "name": _("名称"),
    "names": _("改动的内容"),
    "reason": _("原因"),
    "count": _("数量"),
    "code": _("编码"),
    "label": _("批次名称"),
    "login": _("登录名"),
    "role": _("角色"),
    "plan": _("套餐"),
    "state": _("状态"),
    "is_listed": _("在售"),
    "is_pinned": _("置顶"),
    "weight": _("排序权重"),
    "product_ids": _("商品编号"),
    "enabled": pgettext_lazy("state", "启用"),
    "scope": _("范围"),
    "kind": _("方式"),
    "rounding": _("尾数"),
    "why": _("原因"),
    "cost_amount": _("成本价"),
    "list_amount": _("建议售价"),
    "amount": _("金额"),
    "bonus_amount": _("赠送"),
    "min_amount": _("充满"),
    "bonus_bps": _("赠送比例"),
    "is_once": _("每人一次"),
    "about": _("对象编号"),
    "gateway_said": _("通道的回答"),
    "rate_bps": _("加价比例"),
    "cap_bps": _("封顶"),
    "markup_bps": _("批发加价"),
    "minimum_amount": _("每件至少加"),
    "fee_bps": _("手续费"),
    "credentials": _("改了密钥"),
    "filename": _("文件"),
    "batch_id": _("批次"),
    "variant_id": _("规格编号"),
    "is_platform": _("平台管理员"),
    "changes": _("改动"),
    "list": _("列表"),
    "format": _("文件格式"),
    "filters": _("条件"),
    "days": _("没核对的天"),
    "cases": _("没处理的差异"),
    "uncompared": _("收了款没核对"),
    "dates": _("日期"),
    "gateway": _("支付通道"),
}


def describe_action(action: str) -> str:
    """Return what an act is called; one without a name yet is shown by its code."""
    return str(ACTIONS.get(action, action))


def describe_subject(kind: str, subject_id: str) -> str:
    """Return what an act was done to, by the word of its kind."""
    return f"{SUBJECTS.get(kind, kind)} {subject_id}".strip()


def describe_actor(kind: str, name: str) -> str:
    """Return who acted: by name, and the program itself by a word."""
    return name if name and name != kind else str(_ACTORS.get(kind, kind))


def describe_detail(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the figures of an act as rows of name and text, nested ones in a row of their own."""
    rows: list[tuple[str, str]] = []
    for name, value in detail.items():
        label = str(_NAMES.get(name, name))
        if isinstance(value, Mapping):
            rows += [(f"{label} · {inner}", text) for inner, text in describe_detail(value)]
        else:
            rows.append((label, _text(name, value)))
    return rows


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return gettext("是") if value else gettext("否")
    if isinstance(value, int) and name.endswith("amount"):
        return f"¥{format_yuan(Amount(value))}"
    if isinstance(value, int) and name.endswith("_bps"):
        return format_rate(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        parts = [f"{label} {text}" for each in value[:50] for label, text in describe_detail(each)]
        return "；".join(parts)
    if isinstance(value, list):
        return "、".join(str(each) for each in value[:50])
    return "—" if value in ("", None) else str(value)
