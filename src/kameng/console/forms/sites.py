"""Forms of sites: opening one, changing it, its hosts, its state, and the plans."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kameng.accounts.services.opening import Opening
from kameng.console.forms.fields import (
    LineField,
    PercentField,
    PickField,
    WholeField,
    YuanField,
)
from kameng.pricing.money import FEN, Amount
from kameng.tenancy.models import Plan
from kameng.tenancy.settings import SiteSettings

PALETTE_NAMES: Final = (
    ("indigo", _("靛蓝")),
    ("teal", _("青碧")),
    ("vermilion", _("朱红")),
    ("ink", _("墨金")),
)
MAX_MARKUP_BPS: Final = 100_000


class OpeningForm(forms.Form):
    """Everything that a new sub-site needs to sell at once."""

    name = LineField(label=_("店铺名称"), max_length=20, help_text=_("买家看到的名字。"))
    slug = LineField(
        label=_("站点标识"),
        max_length=32,
        help_text=_("后台地址的一部分，只用小写字母、数字和连字符，以后不能改。"),
        widget=forms.TextInput(attrs={"data-ascii": "", "autocapitalize": "none"}),
    )
    host = LineField(
        label=_("网址"),
        max_length=253,
        help_text=_("例如 shop.example.com，不含 http:// 和端口。域名要先解析到这台服务器。"),
        widget=forms.TextInput(attrs={"data-ascii": "", "autocapitalize": "none"}),
    )
    plan_id = PickField((), label=_("套餐"))
    palette = PickField(PALETTE_NAMES, label=_("配色"), initial="indigo")
    owner_login = LineField(
        label=_("站长登录名"),
        max_length=64,
        help_text=_("小写字母、数字和 . _ - @ +，2 到 64 个字符。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    owner_name = LineField(label=_("站长称呼"), max_length=20, required=False)
    is_known_owner = forms.BooleanField(
        label=_("这个登录名已有账号，直接让他管理新站点"), required=False
    )

    def __init__(self, *args: Any, plans: Sequence[Plan], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["plan_id"].choices = [(each.id, each.name) for each in plans]  # type: ignore[attr-defined]

    def opening(self, *, password: str) -> Opening:
        """Return the checked form; a known owner keeps the password he has."""
        data = self.cleaned_data
        return Opening(
            slug=data["slug"],
            name=data["name"],
            host=data["host"],
            plan_id=int(data["plan_id"]),
            owner_login=data["owner_login"],
            owner_name=data["owner_name"],
            owner_password="" if data["is_known_owner"] else password,
            settings=SiteSettings(palette=data["palette"]),
        )


class SiteForm(forms.Form):
    """What the platform may change of a site besides its term: its name."""

    name = LineField(label=_("店铺名称"), max_length=20)


class HostForm(forms.Form):
    """A host that leads to a site."""

    host = LineField(
        label=_("网址"),
        max_length=253,
        widget=forms.TextInput(
            attrs={"data-ascii": "", "autocapitalize": "none", "placeholder": "shop.example.com"}
        ),
    )
    is_primary = forms.BooleanField(label=_("作为主网址"), required=False)


class StateForm(forms.Form):
    """Suspending a site, with the reason that buyers and its operator read."""

    reason = LineField(label=_("停用原因"), max_length=200, help_text=_("会显示给买家和站长。"))


def _limit(label: Promise, help_text: Promise) -> WholeField:
    """Return a field for how many a site may have at most; empty: as many as it likes."""
    return WholeField(low=0, high=1_000_000, label=label, required=False, help_text=help_text)


class PlanForm(forms.Form):
    """What sub-sites on a plan pay above the main site's cost, and what they may have."""

    name = LineField(
        label=_("套餐名称"), max_length=40, help_text=_("例如 普及版、专业版、旗舰版。")
    )
    description = LineField(
        label=_("一句话介绍"),
        max_length=200,
        required=False,
        help_text=_("写给想开店的人看：适合谁。"),
    )
    markup_bps = PercentField(
        high_bps=MAX_MARKUP_BPS,
        label=_("批发加价"),
        help_text=_("分站拿货价 = 成本价 ×（1 + 这个比例）。"),
    )
    minimum_amount = YuanField(
        label=_("每件至少加"), high=100_000_000, help_text=_("小面额商品按比例不足时，按它加。")
    )
    domains_most = _limit(_("自有域名"), _("个，留空不限。"))
    staff_most = _limit(_("员工"), _("名，站长除外，留空不限。"))
    own_goods_most = _limit(_("自营商品"), _("个，留空不限，0 为不能卖自营商品。"))
    own_goods_share_bps = PercentField(
        high_bps=10_000,
        label=_("自营商品平台抽成"),
        help_text=_("分站卖自己的商品时，主站从售价里得到的部分。"),
    )
    child_sites_most = _limit(_("下级分站"), _("个，留空不限，0 为不能开下级。"))
    grace_days = WholeField(
        low=0,
        high=365,
        label=_("到期后宽限"),
        help_text=_("天。宽限期里照常营业，过后停业，续期马上恢复。"),
    )
    is_offered = forms.BooleanField(label=_("开放购买"), required=False)
    position = WholeField(low=-10_000, high=10_000, label=_("排序"), help_text=_("小的在前。"))


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return a stored plan as the form shows it."""
    return {
        "name": plan.name,
        "markup_bps": plan.wholesale_markup_bps,
        "minimum_amount": plan.wholesale_minimum_amount,
        "description": plan.description,
        "domains_most": plan.domains_most,
        "staff_most": plan.staff_most,
        "own_goods_most": plan.own_goods_most,
        "own_goods_share_bps": plan.own_goods_share_bps,
        "child_sites_most": plan.child_sites_most,
        "grace_days": plan.grace_days,
        "is_offered": plan.is_offered,
        "position": plan.position,
    }


class SuffixForm(forms.Form):
    """Below which address the shops stand that people open by themselves."""

    suffix = LineField(
        label=_("新店网址的后缀"),
        max_length=200,
        required=False,
        help_text=_(
            "例如 shop.example.com，新店就是 xiaobei.shop.example.com。"
            "域名要先做泛解析（*.shop.example.com）到这台服务器。留空用主站网址。"
        ),
        widget=forms.TextInput(attrs={"data-ascii": "", "autocapitalize": "none"}),
    )


class OfferForm(forms.Form):
    """For how long a plan is sold, at what price."""

    days = WholeField(
        low=1,
        high=3660,
        label=_("天数"),
        required=False,
        help_text=_("30 为一个月，365 为一年，留空为永久。"),
    )
    amount = YuanField(
        label=_("价格"), help_text=_("填 0 为免费；有天数就是试用。每人只能免费开一次。")
    )

    def clean_amount(self) -> Amount:
        """Return the price: nothing, or a fen and more."""
        amount: Amount = self.cleaned_data["amount"]
        if 0 < amount < FEN:
            raise forms.ValidationError(_("填 0，或至少 0.01 元。"))
        return amount


class TermForm(forms.Form):
    """Plan and end of a sub-site as the main site decides, with the reason for the log."""

    plan_id = PickField((), label=_("套餐"), help_text=_("供货价马上按新套餐计算。"))
    ends_on = forms.DateField(
        label=_("到期日"),
        required=False,
        help_text=_("那一天结束时到期，留空为不到期。"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("请填写日期，例如 2026-12-31。")},
    )
    reason = LineField(label=_("原因"), max_length=200, help_text=_("会记入日志和套餐历史。"))

    def __init__(self, *args: Any, plans: Sequence[Plan], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["plan_id"].choices = [(each.id, each.name) for each in plans]  # type: ignore[attr-defined]
