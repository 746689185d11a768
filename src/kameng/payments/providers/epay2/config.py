"""What a shop enters for an epay v2 gateway: address, merchant number, its key, the platform's key.

Promises that both keys are readable RSA keys of 2048 bits or more, that the public key is the
platform's and not the shop's own (the usual mistake), and that `repr` shows neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.payments.providers.alipay.config import load_private_key, load_public_key
from kameng.payments.providers.credentials import find_address_problem, read_fields
from kameng.payments.providers.port import ConfigInvalid, Field

FIELDS: Final = (
    Field(
        name="gateway_url",
        label=gettext_lazy("网关地址"),
        help=gettext_lazy("支付平台给出的接口地址，例如 https://pay.example.com/"),
    ),
    Field(
        name="pid",
        label=gettext_lazy("商户 ID（pid）"),
        help=gettext_lazy("支付平台商户后台显示的数字编号。"),
        names_account=True,
    ),
    Field(
        name="merchant_private_key",
        label=gettext_lazy("商户私钥"),
        help=gettext_lazy("在平台“API 信息”里生成 RSA 密钥对时得到的商户私钥，保存后不再显示。"),
        secret=True,
        multiline=True,
    ),
    Field(
        name="platform_public_key",
        label=gettext_lazy("平台公钥"),
        help=gettext_lazy("平台“API 信息”里显示的平台公钥，不是商户公钥。"),
        multiline=True,
    ),
    Field(
        name="opening",
        label=gettext_lazy("打开方式"),
        help=gettext_lazy(
            "跳转最通用；接口方式可以在本站直接显示二维码；签名跳转给没有开通接口的平台，五分钟内有效。"
        ),
        default="page",
        choices=(
            ("page", gettext_lazy("跳转到收银台")),
            ("api", gettext_lazy("接口下单")),
            ("submit", gettext_lazy("签名跳转")),
        ),
    ),
)
_PID = re.compile(r"[0-9]{1,20}")
_PEM_FRAME = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")
_TAIL = re.compile(r"(api/pay(/[a-z]+)?|api|submit\.php|mapi\.php|api\.php)/?$")
_FAULTS = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked epay v2 account; `gateway_url` ends in a slash, keys are base64 of DER."""

    gateway_url: str
    pid: str
    merchant_private_key: str = field(repr=False)
    platform_public_key: str = field(repr=False)
    opening: str = "page"

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        values = read_fields(form, FIELDS)
        for name in ("merchant_private_key", "platform_public_key"):
            values[name] = "".join(_PEM_FRAME.sub("", values[name]).split())
        problems = {
            "gateway_url": find_address_problem(values["gateway_url"]),
            "pid": "" if _PID.fullmatch(values["pid"]) else _("商户 ID 应为数字，请检查。"),
            "opening": ""
            if values["opening"] in ("page", "api", "submit")
            else _("请选择打开方式。"),
            "merchant_private_key": _find_private_problem(values["merchant_private_key"]),
            "platform_public_key": _find_public_problem(
                values["platform_public_key"], own_key=values["merchant_private_key"]
            ),
        }
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        address = _TAIL.sub("", values["gateway_url"])
        return cls(**{**values, "gateway_url": address.rstrip("/") + "/"})

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks (loaded keys are remembered)."""
        return cls.from_form(data)

    def to_json(self) -> dict[str, str]:
        """Return every field, the key in clear: only for encryption at rest."""
        return {each.name: getattr(self, each.name) for each in FIELDS}


def _find_private_problem(text: str) -> str:
    if not text:
        return _("请填写商户私钥，不能为空。")
    try:
        load_private_key(text)
    except _FAULTS:
        return _("商户私钥无法识别，请完整复制 2048 位 RSA 私钥（不是 V1 的 MD5 密钥）。")
    return ""


def _find_public_problem(text: str, *, own_key: str) -> str:
    if not text:
        return _("请填写平台公钥，不能为空。")
    try:
        public = load_public_key(text).public_numbers()
    except _FAULTS:
        return _("平台公钥无法识别，请在平台“API 信息”里重新复制。")
    try:
        own = load_private_key(own_key).public_key().public_numbers()
    except _FAULTS:
        return ""
    if public == own:
        return _("这是商户公钥。请填写平台“API 信息”里显示的平台公钥。")
    return ""
