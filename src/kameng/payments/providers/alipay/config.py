"""What a shop enters for Alipay: app, seller, own private key, and Alipay's key or certificates.

Promises that keys are readable RSA keys of 2048 bits or more, that Alipay's is not the app's own
(the usual mistake), that certificates stand in their own places, belong to the key and lead to the
root, and that `repr` shows none of them.
"""

import base64
import binascii
import datetime as dt
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

from kameng.core.clock import now
from kameng.payments.providers.alipay import certificates
from kameng.payments.providers.credentials import find_address_problem, read_fields
from kameng.payments.providers.port import ConfigInvalid, Field

MIN_KEY_BITS: Final = 2048
KEY: Final = "key"
CERTIFICATE: Final = "certificate"
KEY_FIELDS: Final = ("alipay_public_key",)
CERTIFICATE_FIELDS: Final = ("app_cert", "alipay_cert", "alipay_root_cert")

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
        name="mode",
        label=gettext_lazy("接口加签方式"),
        help=gettext_lazy(
            "与开放平台里的设置一致。转账（提现打款）只能用公钥证书；下面只填所选方式的几项。"
        ),
        default=KEY,
        choices=((KEY, gettext_lazy("公钥")), (CERTIFICATE, gettext_lazy("公钥证书"))),
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
        label=gettext_lazy("支付宝公钥（公钥方式填写）"),
        help=gettext_lazy("开放平台“接口加签方式”里查看的支付宝公钥，不是应用公钥。"),
        multiline=True,
        is_optional=True,
    ),
    Field(
        name="app_cert",
        label=gettext_lazy("应用公钥证书（证书方式填写）"),
        help=gettext_lazy("文件 appCertPublicKey_….crt 的全部内容。"),
        multiline=True,
        is_optional=True,
    ),
    Field(
        name="alipay_cert",
        label=gettext_lazy("支付宝公钥证书（证书方式填写）"),
        help=gettext_lazy("文件 alipayCertPublicKey_RSA2.crt 的全部内容。"),
        multiline=True,
        is_optional=True,
    ),
    Field(
        name="alipay_root_cert",
        label=gettext_lazy("支付宝根证书（证书方式填写）"),
        help=gettext_lazy("文件 alipayRootCert.crt 的全部内容，里面有好几段，要全部复制。"),
        multiline=True,
        is_optional=True,
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
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked Alipay account; keys are base64 of their DER form, certificates PEM.

    What the other mode would need is empty.
    """

    app_id: str
    seller_id: str
    mode: str = KEY
    app_private_key: str = field(repr=False)
    alipay_public_key: str = field(default="", repr=False)
    app_cert: str = field(default="", repr=False)
    alipay_cert: str = field(default="", repr=False)
    alipay_root_cert: str = field(default="", repr=False)
    gateway_url: str = "https://openapi.alipay.com/gateway.do"

    @property
    def has_certificates(self) -> bool:
        """Whether this account signs in certificate mode."""
        return self.mode == CERTIFICATE

    @property
    def alipay_key(self) -> str:
        """The key that Alipay signs with, as entered."""
        return _key_of(self.alipay_cert) if self.has_certificates else self.alipay_public_key

    @property
    def alipay_cert_sn(self) -> str:
        """The number of the certificate that was entered; empty in key mode."""
        return certificates.number_first(self.alipay_cert) if self.has_certificates else ""

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        return cls._read(form, moment=now())

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks (loaded keys are remembered).

        But for the time of certificates: refunds of an account go on after one ran out.
        """
        return cls._read(data, moment=None)

    @classmethod
    def _read(cls, form: Mapping[str, str], *, moment: dt.datetime | None) -> Self:
        values = read_fields(form, FIELDS)
        other = CERTIFICATE_FIELDS if values["mode"] == KEY else KEY_FIELDS
        values |= dict.fromkeys(other, "")
        for name in ("app_private_key", *KEY_FIELDS):
            values[name] = "".join(_PEM_FRAME.sub("", values[name]).split())
        problems = {
            "app_id": "" if _APP_ID.fullmatch(values["app_id"]) else _("APPID 应为 16 位数字。"),
            "seller_id": ""
            if _SELLER_ID.fullmatch(values["seller_id"])
            else _("商户 PID 应为以 2088 开头的 16 位数字。"),
            "mode": ""
            if values["mode"] in (KEY, CERTIFICATE)
            else _("请选择接口加签方式：公钥或公钥证书。"),
            "app_private_key": _find_private_problem(values["app_private_key"]),
            "gateway_url": find_address_problem(values["gateway_url"]),
        }
        if values["mode"] == CERTIFICATE:
            problems |= _find_certificate_problems(values, moment=moment)
            values |= {name: certificates.clean_pem(values[name]) for name in CERTIFICATE_FIELDS}
        else:
            problems["alipay_public_key"] = _find_public_problem(
                values["alipay_public_key"], own_key=values["app_private_key"]
            )
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        return cls(**values)

    def to_json(self) -> dict[str, str]:
        """Return every field, the keys in clear: only for encryption at rest."""
        return {
            "app_id": self.app_id,
            "seller_id": self.seller_id,
            "mode": self.mode,
            "app_private_key": self.app_private_key,
            "alipay_public_key": self.alipay_public_key,
            "app_cert": self.app_cert,
            "alipay_cert": self.alipay_cert,
            "alipay_root_cert": self.alipay_root_cert,
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


@lru_cache(maxsize=64)
def _key_of(cert: str) -> str:
    return certificates.publish_key(certificates.read_certificates(cert)[0])


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
    except _UNREADABLE:
        return _(
            "应用私钥无法识别，请完整复制 2048 位 RSA2 应用私钥（不是公钥，也不是 AES 密钥）。"
        )
    return ""


def _find_public_problem(text: str, *, own_key: str) -> str:
    if not text:
        return _("请填写支付宝公钥，不能为空。")
    try:
        public = load_public_key(text).public_numbers()
    except _UNREADABLE:
        return _("支付宝公钥无法识别，请在开放平台“接口加签方式”里重新复制。")
    if public == _own_numbers(own_key):
        return _("这是应用公钥。请填写上传应用公钥之后，开放平台显示的支付宝公钥。")
    return ""


def _own_numbers(own_key: str) -> rsa.RSAPublicNumbers | None:
    try:
        return load_private_key(own_key).public_key().public_numbers()
    except _UNREADABLE:
        return None


def _find_certificate_problems(
    values: Mapping[str, str], *, moment: dt.datetime | None
) -> dict[str, str]:
    own = _own_numbers(values["app_private_key"])
    return {
        "app_cert": _find_app_cert_problem(values["app_cert"], own=own, moment=moment),
        "alipay_cert": _find_alipay_cert_problem(
            values["alipay_cert"], roots=values["alipay_root_cert"], own=own, moment=moment
        ),
        "alipay_root_cert": _find_root_problem(values["alipay_root_cert"]),
    }


def _find_app_cert_problem(
    text: str, *, own: rsa.RSAPublicNumbers | None, moment: dt.datetime | None
) -> str:
    if not text:
        return _("请粘贴应用公钥证书，不能为空。")
    try:
        cert = certificates.read_certificates(text)[0]
        numbers = certificates.read_rsa_key(cert).public_numbers()
    except _UNREADABLE:
        return _("应用公钥证书无法识别，请用记事本打开 .crt 文件，从 BEGIN 到 END 全部复制。")
    if own is not None and numbers != own:
        return _("这份证书与应用私钥不是一对：可能填成了支付宝公钥证书，或换过密钥没有重新下载。")
    if moment is not None and not certificates.is_valid_at(cert, moment):
        return _("应用公钥证书不在有效期内，请在开放平台更新并重新下载。")
    return ""


def _find_alipay_cert_problem(
    text: str, *, roots: str, own: rsa.RSAPublicNumbers | None, moment: dt.datetime | None
) -> str:
    if not text:
        return _("请粘贴支付宝公钥证书，不能为空。")
    try:
        chain = certificates.read_certificates(text)
        numbers = certificates.read_rsa_key(chain[0]).public_numbers()
    except _UNREADABLE:
        return _("支付宝公钥证书无法识别，请用记事本打开 .crt 文件，从 BEGIN 到 END 全部复制。")
    if numbers == own:
        return _("这是应用公钥证书，请填写支付宝公钥证书（alipayCertPublicKey_RSA2.crt）。")
    if certificates.is_root(chain[0]):
        return _("这是根证书，请填写支付宝公钥证书（alipayCertPublicKey_RSA2.crt）。")
    if moment is not None and not certificates.is_valid_at(chain[0], moment):
        return _("支付宝公钥证书不在有效期内，请在开放平台重新下载。")
    if _find_root_problem(roots):
        return ""
    if not certificates.is_trusted(chain, roots=certificates.read_certificates(roots)):
        return _("支付宝公钥证书不是由下面的根证书签发的，请重新下载这两份文件。")
    return ""


def _find_root_problem(text: str) -> str:
    if not text:
        return _("请粘贴支付宝根证书，不能为空。")
    try:
        roots = certificates.read_certificates(text)
        has_rsa = bool(certificates.number_roots(text))
    except _UNREADABLE:
        return _("支付宝根证书无法识别，请用记事本打开 alipayRootCert.crt，全部复制。")
    if not has_rsa or not all(map(certificates.is_root, roots)):
        return _("这不是支付宝根证书，请填写 alipayRootCert.crt 的全部内容。")
    return ""
