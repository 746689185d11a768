"""What a shop enters for WeChat Pay: merchant, app, its certificate's key, WeChat's key.

Promises that both keys are readable RSA keys of 2048 bits or more, that the public key is WeChat's
and not the merchant's own (the usual mistake), that values were not swapped, and that `repr` shows
no secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import load_der_x509_certificate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.payments.providers.credentials import (
    find_address_problem,
    find_secret_problem,
    read_fields,
)
from kameng.payments.providers.port import ConfigInvalid, Field
from kameng.payments.providers.wechat.signing import (
    BAD_KEY,
    decode_base64,
    load_private_key,
    load_public_key,
)

API_KEY_LENGTH: Final = 32

FIELDS: Final = (
    Field(
        name="mchid",
        label=gettext_lazy("商户号（mchid）"),
        help=gettext_lazy("微信支付商户平台“账户中心 → 商户信息”里的 8 到 10 位数字。"),
        names_account=True,
    ),
    Field(
        name="appid",
        label=gettext_lazy("AppID"),
        help=gettext_lazy("与商户号绑定的公众号或小程序的 AppID，以 wx 开头，共 18 位。"),
        names_account=True,
    ),
    Field(
        name="merchant_serial_no",
        label=gettext_lazy("商户 API 证书序列号"),
        help=gettext_lazy("商户平台“API 安全 → 商户 API 证书”里显示的 40 位序列号。"),
    ),
    Field(
        name="merchant_private_key",
        label=gettext_lazy("商户 API 私钥"),
        help=gettext_lazy("apiclient_key.pem 文件的全部内容，保存后不再显示。"),
        secret=True,
        multiline=True,
    ),
    Field(
        name="api_v3_key",
        label=gettext_lazy("APIv3 密钥"),
        help=gettext_lazy("您在商户平台“API 安全”里自己设置的 32 位密钥（不是 APIv2 密钥）。"),
        secret=True,
    ),
    Field(
        name="verify_by",
        label=gettext_lazy("验签方式"),
        help=gettext_lazy(
            "新商户用微信支付公钥；平台证书会自动下载和更换；从证书切换到公钥期间选两者都认。"
        ),
        default="public_key",
        choices=(
            ("public_key", gettext_lazy("微信支付公钥")),
            ("certificate", gettext_lazy("平台证书")),
            ("both", gettext_lazy("两者都认")),
        ),
    ),
    Field(
        name="public_key_id",
        label=gettext_lazy("微信支付公钥 ID"),
        help=gettext_lazy("以 PUB_KEY_ID_ 开头；只用平台证书时留空。"),
        is_optional=True,
    ),
    Field(
        name="public_key",
        label=gettext_lazy("微信支付公钥"),
        help=gettext_lazy("pub_key.pem 文件的全部内容；只用平台证书时留空。"),
        multiline=True,
        is_optional=True,
    ),
    Field(
        name="app_secret",
        label="AppSecret",
        help=gettext_lazy("公众号的 AppSecret，32 位；在微信里直接付款（JSAPI）需要它，否则留空。"),
        secret=True,
        is_optional=True,
    ),
    Field(
        name="transfer_scene",
        label=gettext_lazy("转账场景"),
        help=gettext_lazy("用于付款给个人（商家转账），须与商户平台里开通的场景一致。"),
        default="1005",
        choices=(
            ("1005", gettext_lazy("佣金报酬（1005）")),
            ("1000", gettext_lazy("现金营销（1000）")),
        ),
    ),
    Field(
        name="gateway_url",
        label=gettext_lazy("接口地址"),
        help=gettext_lazy("一般不用改。"),
        default="https://api.mch.weixin.qq.com",
    ),
    Field(
        name="oauth_url",
        label=gettext_lazy("网页授权地址"),
        help=gettext_lazy("一般不用改。"),
        default="https://open.weixin.qq.com",
    ),
    Field(
        name="token_url",
        label=gettext_lazy("公众号接口地址"),
        help=gettext_lazy("一般不用改。"),
        default="https://api.weixin.qq.com",
    ),
)

_MCHID = re.compile(r"[1-9][0-9]{7,9}")
_APPID = re.compile(r"wx[0-9a-f]{16}")
_SERIAL = re.compile(r"[0-9A-F]{32,40}")
_PUBLIC_KEY_ID = re.compile(r"PUB_KEY_ID_[0-9A-Za-z]{16,64}")
_APP_SECRET = re.compile(r"[0-9a-f]{32}")
_PEM_FRAME = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked WeChat Pay account; the keys are base64 of their DER form."""

    mchid: str
    appid: str
    merchant_serial_no: str
    merchant_private_key: str = field(repr=False)
    api_v3_key: str = field(repr=False)
    verify_by: str
    public_key_id: str
    public_key: str = field(repr=False)
    app_secret: str = field(repr=False)
    transfer_scene: str
    gateway_url: str
    oauth_url: str
    token_url: str

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        values = read_fields(form, FIELDS)
        for name in ("merchant_private_key", "public_key"):
            values[name] = "".join(_PEM_FRAME.sub("", values[name]).split())
        values["merchant_serial_no"] = values["merchant_serial_no"].upper().replace(":", "")
        for name in ("gateway_url", "oauth_url", "token_url"):
            values[name] = values[name].rstrip("/")
        problems = {name: find(values) for name, find in _CHECKS.items()}
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        if values["verify_by"] == "certificate":
            values |= {"public_key_id": "", "public_key": ""}
        return cls(**values)

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks (loaded keys are remembered)."""
        return cls.from_form(data)

    def to_json(self) -> dict[str, str]:
        """Return every field, the secrets in clear: only for encryption at rest."""
        return asdict(self)

    @property
    def takes_public_key(self) -> bool:
        """Whether signatures of the platform's public key count."""
        return self.verify_by != "certificate"

    @property
    def takes_certificates(self) -> bool:
        """Whether signatures of the platform's certificates count."""
        return self.verify_by != "public_key"


def _find_mchid_problem(values: Mapping[str, str]) -> str:
    if _APPID.fullmatch(values["mchid"]):
        return _("这是 AppID。商户号是 8 到 10 位数字。")
    return "" if _MCHID.fullmatch(values["mchid"]) else _("商户号应为 8 到 10 位数字。")


def _find_appid_problem(values: Mapping[str, str]) -> str:
    if _APPID.fullmatch(values["appid"]):
        return ""
    return _("AppID 应以 wx 开头，后面是 16 位小写字母和数字。")


def _find_serial_problem(values: Mapping[str, str]) -> str:
    if values["merchant_serial_no"].startswith("PUB_KEY_ID_"):
        return _("这是微信支付公钥 ID。这里要填商户自己的 API 证书序列号。")
    if _SERIAL.fullmatch(values["merchant_serial_no"]):
        return ""
    return _("证书序列号应为 32 到 40 位的 0-9 和 A-F。")


def _find_private_problem(values: Mapping[str, str]) -> str:
    text = values["merchant_private_key"]
    if not text:
        return _("请填写商户 API 私钥，不能为空。")
    if _is_certificate(text):
        return _("这是商户证书（apiclient_cert.pem）。请粘贴 apiclient_key.pem 的内容。")
    try:
        load_private_key(text)
    except BAD_KEY:
        return _("商户 API 私钥无法识别，请完整粘贴 apiclient_key.pem 的内容（不是证书或公钥）。")
    return ""


def _find_api_key_problem(values: Mapping[str, str]) -> str:
    key = values["api_v3_key"]
    if problem := find_secret_problem(key):
        return problem
    if len(key) != API_KEY_LENGTH:
        return _("APIv3 密钥必须正好是 32 个字符，请检查是否漏了或多复制了字符。")
    if key == values["app_secret"]:
        return _("APIv3 密钥与 AppSecret 相同，其中一个填错了。")
    return ""


def _find_way_problem(values: Mapping[str, str]) -> str:
    known = ("public_key", "certificate", "both")
    return "" if values["verify_by"] in known else _("请选择一种验签方式。")


def _find_key_id_problem(values: Mapping[str, str]) -> str:
    if values["verify_by"] == "certificate":
        return ""
    if not values["public_key_id"]:
        return _("请填写微信支付公钥 ID，或把验签方式改为平台证书。")
    if _PUBLIC_KEY_ID.fullmatch(values["public_key_id"]):
        return ""
    return _("微信支付公钥 ID 应以 PUB_KEY_ID_ 开头，请从商户平台“API 安全”里完整复制。")


def _find_public_problem(values: Mapping[str, str]) -> str:
    text = values["public_key"]
    if values["verify_by"] == "certificate":
        return ""
    if not text:
        return _("请填写微信支付公钥，或把验签方式改为平台证书。")
    if _is_certificate(text):
        return _("这是证书，不是公钥。请粘贴 pub_key.pem 的内容，或把验签方式改为平台证书。")
    try:
        public = load_public_key(text).public_numbers()
    except BAD_KEY:
        return _("微信支付公钥无法识别，请完整粘贴 pub_key.pem 的内容。")
    try:
        own = load_private_key(values["merchant_private_key"]).public_key().public_numbers()
    except BAD_KEY:
        return ""
    if public == own:
        return _("这是商户自己的公钥。请填写商户平台里下载的微信支付公钥（pub_key.pem）。")
    return ""


def _find_app_secret_problem(values: Mapping[str, str]) -> str:
    secret = values["app_secret"]
    if not secret:
        return ""
    if not _APP_SECRET.fullmatch(secret):
        return _("AppSecret 应为 32 位的 0-9 和小写 a-f；不用在微信里直接付款时可以留空。")
    return find_secret_problem(secret)


def _find_scene_problem(values: Mapping[str, str]) -> str:
    return "" if values["transfer_scene"] in {"1005", "1000"} else _("请选择一种转账场景。")


def _is_certificate(text: str) -> bool:
    try:
        load_der_x509_certificate(decode_base64(text))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


_CHECKS: Final[dict[str, Callable[[Mapping[str, str]], str]]] = {
    "mchid": _find_mchid_problem,
    "appid": _find_appid_problem,
    "merchant_serial_no": _find_serial_problem,
    "merchant_private_key": _find_private_problem,
    "api_v3_key": _find_api_key_problem,
    "verify_by": _find_way_problem,
    "public_key_id": _find_key_id_problem,
    "public_key": _find_public_problem,
    "app_secret": _find_app_secret_problem,
    "transfer_scene": _find_scene_problem,
    "gateway_url": lambda values: find_address_problem(values["gateway_url"]),
    "oauth_url": lambda values: find_address_problem(values["oauth_url"]),
    "token_url": lambda values: find_address_problem(values["token_url"]),
}
