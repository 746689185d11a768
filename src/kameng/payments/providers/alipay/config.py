"""What a shop enters for Alipay: app, seller, its own private key, Alipay's public key.

Promises that both keys are readable RSA keys of 2048 bits or more, that the public key is
Alipay's and not the app's own (the usual mistake), and that `repr` shows neither.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
)
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.payments.providers.credentials import find_address_problem, read_fields
from kameng.payments.providers.port import ConfigInvalid, Field

MIN_KEY_BITS: Final = 2048

FIELDS: Final = (
    Field(
        name="app_id",
        label=gettext_lazy("应用 APPID"),
        help=gettext_lazy("支付宝开放平台“应用详情”里的 16 位数字。"),
        names_account=True,
    ),
    Field(
        name="seller_id",
        label=gettext_lazy("商户 PID（seller_id）"),
        help=gettext_lazy("以 2088 开头的 16 位数字，收到的通知必须属于这个商户。"),
        names_account=True,
    ),
    Field(
        name="app_private_key",
        label=gettext_lazy("应用私钥"),
        help=gettext_lazy("密钥工具生成的应用私钥（RSA2，2048 位），保存后不再显示。"),
        secret=True,
        multiline=True,
    ),
    Field(
        name="alipay_public_key",
        label=gettext_lazy("支付宝公钥"),
        help=gettext_lazy("开放平台“接口加签方式”里查看的支付宝公钥，不是应用公钥。"),
        multiline=True,
    ),
    Field(
        name="gateway_url",
        label=gettext_lazy("网关地址"),
        help=gettext_lazy("一般不用改。"),
        default="https://openapi.alipay.com/gateway.do",
    ),
)

_APP_ID = re.compile(r"[0-9]{16}")
_SELLER_ID = re.compile(r"2088[0-9]{12}")
_PEM_FRAME = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked Alipay account; the keys are base64 of their DER form."""

    app_id: str
    seller_id: str
    app_private_key: str = field(repr=False)
    alipay_public_key: str = field(repr=False)
    gateway_url: str = "https://openapi.alipay.com/gateway.do"

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        values = read_fields(form, FIELDS)
        for name in ("app_private_key", "alipay_public_key"):
            values[name] = "".join(_PEM_FRAME.sub("", values[name]).split())
        problems = {
            "app_id": "" if _APP_ID.fullmatch(values["app_id"]) else _("APPID 应为 16 位数字。"),
            "seller_id": ""
            if _SELLER_ID.fullmatch(values["seller_id"])
            else _("商户 PID 应为以 2088 开头的 16 位数字。"),
            "app_private_key": _find_private_problem(values["app_private_key"]),
            "alipay_public_key": _find_public_problem(
                values["alipay_public_key"], own_key=values["app_private_key"]
            ),
            "gateway_url": find_address_problem(values["gateway_url"]),
        }
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        return cls(**values)

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks (loaded keys are remembered)."""
        return cls.from_form(data)

    def to_json(self) -> dict[str, str]:
        """Return every field, the keys in clear: only for encryption at rest."""
        return {
            "app_id": self.app_id,
            "seller_id": self.seller_id,
            "app_private_key": self.app_private_key,
            "alipay_public_key": self.alipay_public_key,
            "gateway_url": self.gateway_url,
        }


@lru_cache(maxsize=64)
def load_private_key(text: str) -> rsa.RSAPrivateKey:
    """Load a private key, PKCS#8 or PKCS#1; raise ValueError. Remembered: it takes milliseconds."""
    key = load_der_private_key(_decode(text), password=None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    return key


@lru_cache(maxsize=64)
def load_public_key(text: str) -> rsa.RSAPublicKey:
    """Load a public key; raise ValueError."""
    key = load_der_public_key(_decode(text))
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    return key


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("no base64") from None


def _find_private_problem(text: str) -> str:
    if not text:
        return _("请填写应用私钥，不能为空。")
    try:
        load_private_key(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _(
            "应用私钥无法识别，请完整复制 2048 位 RSA2 应用私钥（不是公钥，也不是 AES 密钥）。"
        )
    return ""


def _find_public_problem(text: str, *, own_key: str) -> str:
    if not text:
        return _("请填写支付宝公钥，不能为空。")
    try:
        public = load_public_key(text).public_numbers()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _("支付宝公钥无法识别，请在开放平台“接口加签方式”里重新复制。")
    try:
        own = load_private_key(own_key).public_key().public_numbers()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ""
    if public == own:
        return _("这是应用公钥。请填写上传应用公钥之后，开放平台显示的支付宝公钥。")
    return ""
