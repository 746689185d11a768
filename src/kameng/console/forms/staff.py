"""Forms of staff, and the words for roles and permissions."""

from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.accounts.models import Role
from kameng.accounts.selectors import list_role_permissions
from kameng.console.forms.fields import LineField, PickField

ROLE_NOTES: Final = {
    "owner": _("什么都能做，包括管理员工。"),
    "manager": _("日常经营的全部工作，不能管理员工、调整余额和提现。"),
    "goods": _("商品、价格和卡密。"),
    "service": _("看订单、补发换卡、查看卡密、维护客户资料。"),
    "finance": _("资金、提现、退款、余额调整和日志。"),
    "viewer": _("只能看，不能改。"),
}
PERMISSION_LABELS: Final = {
    "overview.view": _("看今日概况"),
    "orders.view": _("看订单"),
    "orders.repair": _("补发、换卡、人工发货"),
    "orders.refund": _("退款"),
    "goods.view": _("看商品"),
    "goods.edit": _("改商品、上下架"),
    "prices.edit": _("改价格和加价"),
    "keys.import": _("导入和撤回卡密"),
    "keys.reveal": _("查看卡密内容"),
    "customers.view": _("看客户"),
    "customers.edit": _("改客户资料"),
    "customers.adjust": _("调整客户余额"),
    "payments.confirm": _("凭证据确认收款"),
    "money.view": _("看资金"),
    "money.reconcile": _("对账、处理差异"),
    "money.close": _("月度关账"),
    "gateways.edit": _("改支付通道"),
    "staff.manage": _("管理员工"),
    "settings.edit": _("改店铺设置"),
    "audit.view": _("看审计日志"),
    "data.export": _("导出数据"),
    "site.leave": _("打包带走、转让和关店"),
    "settlement.request": _("申请提现"),
    "settlement.accounts": _("改收款账户"),
    "settlement.review": _("审核提现和打款（主站）"),
}


class InviteForm(forms.Form):
    """A new member of staff of this site."""

    login = LineField(
        label=_("登录名"),
        max_length=64,
        help_text=_("小写字母、数字和 . _ - @ +，2 到 64 个字符。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    display_name = LineField(label=_("称呼"), max_length=20)
    role = PickField(Role.choices, label=_("角色"), initial=Role.SERVICE.value)


class RoleForm(forms.Form):
    """Another role for a member of staff."""

    role = PickField(Role.choices, label=_("角色"))


def role_matrix() -> list[tuple[str, list[bool]]]:
    """Return each permission in words with yes or no for every role, in the roles' order."""
    granted = [list_role_permissions(role) for role in Role.values]
    return [
        (str(label), [name in permissions for permissions in granted])
        for name, label in PERMISSION_LABELS.items()
    ]
