"""Forms of own domains: claiming one, and where the platform lets them lead."""

import ipaddress
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import LineField
from kameng.tenancy.claims import ADDRESS_PARTS
from kameng.tenancy.own_hosts import parse_target

ADDRESSES_MOST = 8


class ClaimForm(forms.Form):
    """A domain that the operator has bought."""

    host = LineField(
        label=_("您的域名"),
        max_length=2000,
        help_text=_("填您买的域名，粘贴整个网址也可以。中文域名直接写中文。"),
        widget=forms.TextInput(
            attrs={
                "autocapitalize": "none",
                "autocomplete": "off",
                "spellcheck": "false",
                "inputmode": "url",
                "placeholder": "shop.com",
            }
        ),
    )
    with_twin = forms.BooleanField(
        label=_("带 www 和不带 www 的一起绑定"),
        help_text=_("买家两种都会输入，只算一个域名。"),
        required=False,
        initial=True,
    )
    wants_primary = forms.BooleanField(
        label=_("上线后设为主网址"),
        help_text=_("邮件和分享里的链接用它，其他网址自动跳转过来。"),
        required=False,
        initial=True,
    )


class TargetForm(forms.Form):
    """Where own domains of sub-sites lead: addresses, and a name for all."""

    addresses = LineField(
        label=_("服务器的公网 IP"),
        max_length=400,
        required=False,
        help_text=_("分站的域名用 A 记录指向它，几个用逗号分开。不填时查主站网址的解析。"),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "203.0.113.10"}
        ),
    )
    name = LineField(
        label=_("公共解析目标"),
        max_length=253,
        required=False,
        help_text=_("可以不填。指向它的域名也算指向这里，例如 sites.example.com。"),
        widget=forms.TextInput(
            attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def clean_addresses(self) -> list[str]:
        """Return the addresses, each as it is usually written."""
        parts = [part for part in ADDRESS_PARTS.split(self.cleaned_data["addresses"]) if part]
        if len(parts) > ADDRESSES_MOST:
            raise ValidationError(_("最多 8 个地址。"))
        try:
            return [str(ipaddress.ip_address(part)) for part in parts]
        except ValueError:
            raise ValidationError(_("请填 IP 地址，例如 203.0.113.10。")) from None

    def clean_name(self) -> Any:
        """Return the name as it stands in records."""
        name = parse_target(self.cleaned_data["name"])
        if name is None:
            raise ValidationError(_("请填一个域名，例如 sites.example.com。"))
        return name
