"""Forms of sites: opening one, changing it, its hosts, its state, and the plans."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.accounts.services.opening import Opening
from kameng.console.forms.fields import LineField, PercentField, PickField, WholeField, YuanField
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
    """What the platform may change of a site: its name, and a sub-site's plan."""

    name = LineField(label=_("店铺名称"), max_length=20)
    plan_id = PickField((), label=_("套餐"), help_text=_("供货价马上按新套餐计算。"))

    def __init__(self, *args: Any, plans: Sequence[Plan], is_main: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if is_main:
            del self.fields["plan_id"]
        else:
            choices = [(each.id, each.name) for each in plans]
            self.fields["plan_id"].choices = choices  # type: ignore[attr-defined]


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


class PlanForm(forms.Form):
    """What sub-sites on a plan pay above the main site's cost."""

    name = LineField(label=_("套餐名称"), max_length=40)
    markup_bps = PercentField(
        high_bps=MAX_MARKUP_BPS,
        label=_("批发加价"),
        help_text=_("分站拿货价 = 成本价 ×（1 + 这个比例）。"),
    )
    minimum_amount = YuanField(
        label=_("每件至少加"), high=100_000_000, help_text=_("小面额商品按比例不足时，按它加。")
    )


class OwnGoodsTermsForm(forms.Form):
    """How many own goods a site on a plan may sell at once, and what the platform takes."""

    most = WholeField(
        low=0,
        high=1_000_000,
        label=_("最多同时在售"),
        required=False,
        help_text=_("0 表示不允许自营商品，留空表示不限。改小后已在售的照常卖，不会自动下架。"),
    )
    share_bps = PercentField(
        high_bps=10_000,
        label=_("平台分成"),
        help_text=_("按售价收，例如 5%：卖 100 元，平台收 5 元。"),
    )


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return a stored plan as the form shows it."""
    return {
        "name": plan.name,
        "markup_bps": plan.wholesale_markup_bps,
        "minimum_amount": plan.wholesale_minimum_amount,
    }
