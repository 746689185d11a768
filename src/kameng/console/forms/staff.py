"""Forms of staff, and the words for roles and permissions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kameng.accounts.models import CustomRole, Role
from kameng.accounts.selectors import (
    DEVICE_DAYS,
    GIVABLE,
    INVITATION_DAYS,
    PLATFORM_ROLE,
    permissions_of,
)
from kameng.console.forms.fields import LineField, PickField

ROLE_NOTES: Final = {
    "owner": _("什么都能做，包括管理员工。"),
    "manager": _("日常经营的全部工作，不能管理员工、调整余额和提现。"),
    "goods": _("商品、价格和卡密。"),
    "service": _("看订单、补发换卡、查看卡密、维护客户资料。"),
    "finance": _("资金、提现、退款、余额调整和日志。"),
    "viewer": _("只能看，不能改。"),
    "custom": _("按本站自己的设定。"),
}
PRESETS: Final = tuple(role for role in Role.values if role != Role.CUSTOM)
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
    "design.edit": _("装修店铺"),
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
    "children.manage": _("管理下级分站"),
    "plan.view": _("看套餐和到期时间"),
    "plan.buy": _("续期和换套餐"),
    "goods.oversee": _("查看和下架分站自有商品"),
}


PERMISSION_NOTES: Final = {
    "overview.view": _("今天卖了多少、有什么要处理。"),
    "orders.view": _("订单、支付记录、售后的列表和详情。"),
    "orders.repair": _("买家没收到货时补发、换一张、手工交付。"),
    "orders.refund": _("把钱退给买家，退到余额或原路退回。"),
    "goods.view": _("商品、分类和库存数量，看不到卡密内容。"),
    "goods.edit": _("添加、修改、上下架商品和分类。"),
    "prices.edit": _("改售价和加价规则，马上影响店里的价格。"),
    "keys.import": _("把卡密导入库存，或整批撤回。"),
    "keys.reveal": _("看到完整的卡密，每次都记入日志。"),
    "design.edit": _("改店铺的页面、外观和图片。"),
    "customers.view": _("客户列表和他们的订单，联系方式打码。"),
    "customers.edit": _("改备注、标记、停用客户。"),
    "customers.adjust": _("手工增减客户余额。动钱，请谨慎给出。"),
    "payments.confirm": _("通道没通知时，凭证据把订单记为已付。动钱，请谨慎给出。"),
    "money.view": _("账户、流水、对账单和结算记录。"),
    "money.reconcile": _("取账单、核对、处理差异。"),
    "money.close": _("关上一个月的账，之后不能再改。"),
    "gateways.edit": _("改收款的商户号和密钥，决定钱进哪里。请谨慎给出。"),
    "staff.manage": _("邀请、移除、停用员工，只能给出自己有的权限。"),
    "settings.edit": _("店名、公告、营业规则。"),
    "audit.view": _("谁在什么时候做了什么。"),
    "data.export": _("把订单、客户、流水下载成表格。"),
    "settlement.request": _("申请把钱提到已登记的收款账户。"),
    "settlement.accounts": _("登记或移除收款账户。请谨慎给出。"),
    "settlement.review": _("主站用：审核分站的提现并打款。"),
    "site.leave": _("带走全部资料、把店转给别人、关店。请谨慎给出。"),
    "children.manage": _("开下级分站，定他们的进价，停用他们。"),
    "plan.view": _("本店的套餐、用量和到期时间。"),
    "plan.buy": _("向主站付费续期或升级套餐。"),
    "goods.oversee": _("主站用：看分站自己的商品，不合适的下架。"),
}
PERMISSION_GROUPS: Final = (
    (_("经营"), "layout-dashboard", ("overview.view",)),
    (
        _("订单与售后"),
        "clipboard-list",
        ("orders.view", "orders.repair", "orders.refund"),
    ),
    (
        _("商品与卡密"),
        "package",
        ("goods.view", "goods.edit", "prices.edit", "keys.import", "keys.reveal", "goods.oversee"),
    ),
    (
        _("店铺"),
        "palette",
        ("design.edit", "settings.edit", "children.manage", "plan.view", "plan.buy", "site.leave"),
    ),
    (_("客户"), "users", ("customers.view", "customers.edit", "customers.adjust")),
    (
        _("资金"),
        "wallet",
        ("money.view", "money.reconcile", "money.close", "payments.confirm", "gateways.edit"),
    ),
    (
        _("结算与提现"),
        "coin",
        ("settlement.request", "settlement.accounts", "settlement.review"),
    ),
    (_("管理与安全"), "shield-lock", ("staff.manage", "audit.view", "data.export")),
)
GRAVE: Final = frozenset(
    {
        *("customers.adjust", "payments.confirm", "gateways.edit", "staff.manage"),
        *("settlement.accounts", "settlement.review", "orders.refund", "keys.reveal"),
        *("data.export", "site.leave"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionLine:
    """One permission in words; `may_give` tells whether who looks may give it."""

    name: str
    label: str
    note: str
    is_grave: bool
    may_give: bool


def group_permissions(holder: Collection[str]) -> list[tuple[str, str, list[PermissionLine]]]:
    """Return (group, icon, its permissions); what stands in no group comes last."""
    named = {name for _label, _icon, names in PERMISSION_GROUPS for name in names}
    groups = [*PERMISSION_GROUPS, (_("其他"), "dots", tuple(sorted(GIVABLE - named)))]
    return [
        (
            str(label),
            icon,
            [
                PermissionLine(
                    name=name,
                    label=str(PERMISSION_LABELS.get(name, name)),
                    note=str(PERMISSION_NOTES.get(name, "")),
                    is_grave=name in GRAVE,
                    may_give=name in holder,
                )
                for name in names
            ],
        )
        for label, icon, names in groups
        if names
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChoice:
    """A role as it is chosen: the value of the form, its name, what it is for, what it gives."""

    value: str
    label: str
    note: str
    permissions: frozenset[str]
    custom_id: int | None = None


def list_choices(customs: Collection[CustomRole]) -> list[RoleChoice]:
    """Return every role of a site: the presets, then its own."""
    presets = [
        RoleChoice(
            value=role,
            label=str(Role(role).label),
            note=str(ROLE_NOTES[role]),
            permissions=permissions_of(role),
        )
        for role in PRESETS
    ]
    return presets + [
        RoleChoice(
            value=f"custom:{role.id}",
            label=role.name,
            note=role.note or str(ROLE_NOTES["custom"]),
            permissions=permissions_of("custom", custom=frozenset(role.permissions)),
            custom_id=role.id,
        )
        for role in customs
    ]


def role_value(role: str, custom_role_id: int | None) -> str:
    """Return how a role is written in a form."""
    return f"custom:{custom_role_id}" if custom_role_id is not None else role


def split_role(value: str) -> tuple[str, int | None]:
    """Return (role, id of the custom role) of a checked value of a form."""
    role, _colon, number = value.partition(":")
    return role, int(number) if number else None


def _days(days: int) -> Promise:
    return format_lazy(_("{days} 天"), days=days)


class _RolesForm(forms.Form):
    """A form that offers the roles of a site which its reader may give."""

    def __init__(self, *args: Any, choices: Collection[RoleChoice], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"] = PickField(
            [(each.value, each.label) for each in choices],
            label=_("角色"),
            initial=options.get("initial", {}).get("role", Role.SERVICE.value),
        )


class InviteForm(_RolesForm):
    """A new member of staff of this site with a first password."""

    login = LineField(
        label=_("登录名"),
        max_length=64,
        help_text=_("小写字母、数字和 . _ - @ +，2 到 64 个字符。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    display_name = LineField(label=_("称呼"), max_length=20)


class RoleForm(_RolesForm):
    """Another role for a member of staff."""


class LinkForm(_RolesForm):
    """An invitation by link."""

    name = LineField(
        label=_("称呼"), max_length=20, required=False, help_text=_("方便您认出是谁，可以不填。")
    )
    email = forms.EmailField(
        label=_("邮箱"),
        max_length=64,
        required=False,
        help_text=_("填了就把链接发过去，并作为他的登录名；不填就自己把链接发给他。"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        error_messages={
            "invalid": _("请填写正确的邮箱。"),
            "max_length": _("请填写正确的邮箱。"),
        },
    )
    days = PickField(
        [(str(days), _days(days)) for days in INVITATION_DAYS],
        label=_("链接有效"),
        initial="7",
        as_segments=True,
    )


class CustomRoleForm(forms.Form):
    """A role that the site makes for itself; permissions are read beside it."""

    name = LineField(label=_("角色名称"), max_length=20)
    note = LineField(
        label=_("说明"), max_length=80, required=False, help_text=_("一句话，例如：只管夜班补发。")
    )


class JoinForm(forms.Form):
    """What an invited person types to make an account."""

    display_name = LineField(label=_("您的称呼"), max_length=20)
    login = LineField(
        label=_("登录名"),
        max_length=64,
        help_text=_("邮箱，或小写字母、数字和 . _ - @ +，2 到 64 个字符。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("设置密码"),
        max_length=128,
        strip=False,
        help_text=_("至少 8 个字符，请用别处没有用过的。"),
        error_messages={"required": _("请填写密码。")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class RuleForm(forms.Form):
    """Who must have a second factor, from when, and how long a device is remembered."""

    from_day = forms.DateField(
        label=_("从哪天起必须"),
        required=False,
        help_text=_("之前登录时会提醒设置，到这天还没设置就只能先设置。不填表示马上。"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("请填写正确的日期。")},
    )
    remember_days = PickField(
        [(str(days), _days(days) if days else _("不允许")) for days in DEVICE_DAYS],
        label=_("“记住这台设备”最长"),
        as_segments=True,
    )
    is_everywhere = forms.BooleanField(
        label=_("所有分站也照这样要求"),
        required=False,
        help_text=_("分站可以要求得更多，不能更少。"),
    )


RULE_ROLES: Final = (*PRESETS, Role.CUSTOM.value, PLATFORM_ROLE)
