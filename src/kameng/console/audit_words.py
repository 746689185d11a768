"""The audit log in words: what each act is called, and its figures as a person reads them."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kameng.pricing.money import Amount, format_yuan
from kameng.pricing.trace import format_rate

ACTION_GROUPS: Final = {
    "order": _("订单"),
    "payment": _("支付"),
    "product": _("商品"),
    "variant": _("规格"),
    "category": _("分类"),
    "prices": _("价格"),
    "price_rule": _("加价规则"),
    "card_key": _("卡密"),
    "card_batch": _("卡密批次"),
    "import": _("导入"),
    "stock": _("库存"),
    "customer": _("客户"),
    "ledger": _("余额"),
    "gateway": _("支付通道"),
    "site": _("站点"),
    "plan": _("套餐"),
    "staff": _("员工"),
    "data": _("导出"),
}
ACTIONS: Final = {
    "category.created": _("添加分类"),
    "category.changed": _("修改分类"),
    "category.deleted": _("删除分类"),
    "product.created": _("添加商品"),
    "product.changed": _("修改商品"),
    "product.moved": _("移动商品到分类"),
    "product.listed": _("上架或下架商品"),
    "product.pinned": _("置顶或取消置顶"),
    "product.ranked": _("调整商品排序"),
    "variant.created": _("添加规格"),
    "variant.changed": _("修改规格"),
    "prices.changed": _("批量改价"),
    "price_rule.saved": _("保存加价规则"),
    "price_rule.deleted": _("删除加价规则"),
    "card_key.revealed": _("查看卡密内容"),
    "card_batch.withdrawn": _("撤回卡密批次"),
    "card_batch.restored": _("恢复卡密批次"),
    "import.started": _("开始导入"),
    "import.undone": _("撤销导入"),
    "stock.level.set": _("设置库存"),
    "gateway.created": _("添加支付通道"),
    "gateway.changed": _("修改支付通道"),
    "gateway.tested": _("测试支付通道"),
    "gateway.switched": _("启用或停用支付通道"),
    "gateway.frozen": _("冻结支付通道"),
    "site.opened": _("开通站点"),
    "site.changed": _("修改站点"),
    "site.settings.changed": _("修改店铺设置"),
    "site.state.changed": _("停用或恢复站点"),
    "site.domain.added": _("添加网址"),
    "site.domain.removed": _("移除网址"),
    "plan.saved": _("保存套餐"),
    "staff.created": _("添加员工"),
    "staff.role.granted": _("授予角色"),
    "staff.role.revoked": _("移除员工"),
    "staff.activated": _("恢复员工账号"),
    "staff.deactivated": _("停用员工账号"),
    "staff.password.changed": _("修改员工密码"),
    "staff.signed_in": _("员工登录"),
    "staff.signed_out": _("员工退出"),
    "customer.locked": _("停用客户"),
    "customer.unlocked": _("恢复客户"),
    "ledger.wallet.adjusted": _("调整客户余额"),
    "order.cancelled": _("取消订单"),
    "order.refunded": _("退款"),
    "order.refund_settled": _("处理退款失败"),
    "order.delivered_by_hand": _("人工发货"),
    "order.delivered_from_stock": _("从库存发货"),
    "order.key_replaced": _("换卡密，旧的作废"),
    "order.resent": _("重发通知"),
    "order.remark": _("备注"),
    "order.taken": _("接单处理"),
    "order.goods_revealed": _("查看卡密内容"),
    "order.contact_revealed": _("查看联系方式"),
    "customer.login_revealed": _("查看联系方式"),
    "customer.signed_out": _("让客户重新登录"),
    "import.discarded": _("放弃导入"),
    "payment.mismatch_returned": _("退回金额不符或重复的付款"),
    "payment.returned_by_hand": _("登记线下退回的付款"),
    "payment.queried": _("查询付款"),
    "email.retried": _("重发邮件"),
    "data.exported": _("导出数据"),
}
SUBJECTS: Final = {
    "card_batch": _("卡密批次"),
    "card_key": _("卡密"),
    "category": _("分类"),
    "customer": _("客户"),
    "domain": _("网址"),
    "email": _("邮件"),
    "gateway": _("支付通道"),
    "import": _("导入"),
    "list": _("列表"),
    "order": _("订单"),
    "payment": _("支付"),
    "plan": _("套餐"),
    "price_rule": _("加价规则"),
    "product": _("商品"),
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
    "enabled": _("启用"),
    "scope": _("范围"),
    "kind": _("方式"),
    "rounding": _("尾数"),
    "why": _("原因"),
    "cost_amount": _("成本价"),
    "list_amount": _("建议售价"),
    "amount": _("金额"),
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
