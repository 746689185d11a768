"""The form of a site's settings: how the shop looks, how it is reached, how it sells."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import (
    LineField,
    PercentField,
    PickField,
    TextField,
    WholeField,
    YuanField,
)
from kameng.console.forms.sites import PALETTE_NAMES
from kameng.tenancy.settings import SiteSettings

ZONES: Final = (
    ("Asia/Shanghai", _("北京时间（Asia/Shanghai）")),
    ("Asia/Urumqi", _("乌鲁木齐（Asia/Urumqi）")),
    ("Asia/Hong_Kong", _("香港（Asia/Hong_Kong）")),
    ("Asia/Taipei", _("台北（Asia/Taipei）")),
    ("Asia/Singapore", _("新加坡（Asia/Singapore）")),
    ("Asia/Kuala_Lumpur", _("吉隆坡（Asia/Kuala_Lumpur）")),
    ("Asia/Bangkok", _("曼谷（Asia/Bangkok）")),
    ("Asia/Tokyo", _("东京（Asia/Tokyo）")),
    ("Europe/London", _("伦敦（Europe/London）")),
    ("America/New_York", _("纽约（America/New_York）")),
    ("America/Los_Angeles", _("洛杉矶（America/Los_Angeles）")),
    ("UTC", "UTC"),
)
SECONDS: Final = 60


class SettingsForm(forms.Form):
    """What an operator decides about the shop."""

    name = LineField(label=_("店铺名称"), max_length=20)
    slogan = LineField(
        label=_("一句话介绍"), max_length=60, required=False, help_text=_("显示在店名旁边。")
    )
    palette = PickField(PALETTE_NAMES, label=_("配色"), as_segments=True)
    notice = LineField(
        label=_("公告"),
        max_length=120,
        required=False,
        help_text=_("首页顶部的一行字，留空不显示。"),
    )
    banner_title = LineField(label=_("横幅标题"), max_length=40, required=False)
    banner_text = LineField(label=_("横幅文字"), max_length=80, required=False)
    contact_text = TextField(
        label=_("联系方式"),
        max_length=500,
        required=False,
        rows=3,
        help_text=_("例如客服微信、QQ 和在线时间，显示在页脚和帮助页。"),
    )
    licence_no = LineField(
        label=_("营业执照号"), max_length=60, required=False, help_text=_("显示在页脚。")
    )
    icp_no = LineField(
        label=_("ICP 备案号"),
        max_length=60,
        required=False,
        help_text=_("显示在页脚并链接到备案网站。"),
    )
    timezone = PickField(ZONES, label=_("时区"), help_text=_("店里和后台的时间都按它显示。"))
    order_hold_minutes = WholeField(
        low=1,
        high=1440,
        label=_("未付款订单保留"),
        help_text=_("超过这个时间没付款，订单自动取消，卡密放回库存。"),
    )
    open_orders_limit = WholeField(
        low=1,
        high=100,
        label=_("每人未付款订单"),
        help_text=_("防止有人占着库存不付款。"),
    )
    reserve_share_bps = PercentField(
        high_bps=10_000,
        label=_("每人最多占用库存"),
        help_text=_("一个人的未付款订单最多占一件商品库存的这个比例。"),
    )
    named_cap_amount = YuanField(
        low=10_000,
        high=50_000_000,
        label=_("实名客户余额上限"),
        help_text=_("法规上限 5000 元，只能调低。充值中的也算在内。"),
    )
    unnamed_cap_amount = YuanField(
        low=10_000,
        high=10_000_000,
        label=_("未实名客户余额上限"),
        help_text=_("法规上限 1000 元，只能调低。"),
    )
    two_person_amount = YuanField(
        label=_("两人复核门槛"),
        help_text=_("动钱的操作超过这个金额，要另一位同事复核。0 表示每一笔都要。"),
    )
    wallet_enabled = forms.BooleanField(
        label=_("余额支付"), required=False, help_text=_("买家可以充值，并用余额付款。")
    )
    guest_checkout = forms.BooleanField(
        label=_("免注册购买"), required=False, help_text=_("留下邮箱或手机号就能买。")
    )
    mail_from = forms.EmailField(
        label=_("发件邮箱"),
        max_length=120,
        required=False,
        help_text=_("给买家发邮件时的发件人，留空用平台的。"),
        error_messages={
            "invalid": _("请填写正确的邮箱。"),
            "max_length": _("请填写正确的邮箱。"),
        },
    )

    def __init__(self, *args: Any, zone_name: str, **options: Any) -> None:
        super().__init__(*args, **options)
        if zone_name not in dict(ZONES):
            self.fields["timezone"].choices = [(zone_name, zone_name), *ZONES]  # type: ignore[attr-defined]

    def clean_reserve_share_bps(self) -> int:
        """Refuse a share of nothing."""
        share_bps: int = self.cleaned_data["reserve_share_bps"]
        if share_bps < 1:
            raise forms.ValidationError(_("应大于 0%。"))
        return share_bps

    def clean_timezone(self) -> str:
        """Return the zone; it is one that the system knows."""
        return ZoneInfo(self.cleaned_data["timezone"]).key

    def changes(self) -> dict[str, object]:
        """Return the checked settings by their stored names."""
        data = dict(self.cleaned_data)
        data.pop("name")
        minutes = data.pop("order_hold_minutes")
        return data | {"order_hold_seconds": minutes * SECONDS}


def settings_values(site_name: str, settings: SiteSettings) -> dict[str, Any]:
    """Return stored settings as the form shows them."""
    names = [name for name in SettingsForm.base_fields if hasattr(settings, name)]
    values = {name: getattr(settings, name) for name in names}
    return values | {
        "name": site_name,
        "order_hold_minutes": -(-settings.order_hold_seconds // SECONDS),
    }
