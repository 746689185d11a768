"""What a shop enters for UnionPay: merchant number, merchant certificate, UnionPay's certificates.

Promises that the certificate opens with its password and holds its key, that the middle certificate
is vouched for by the root, and that `repr` shows neither key nor password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.payments.providers.credentials import find_address_problem, read_fields
from kameng.payments.providers.port import ConfigInvalid, Field
from kameng.payments.providers.unionpay.certificates import (
    OWNER,
    TEST_OWNER,
    Merchant,
    NoKey,
    has_expired,
    is_root,
    is_vouched_for,
    load_bundle,
    load_merchant,
)

FIELDS: Final = (
    Field(
        name="mer_id",
        label=gettext_lazy("商户号（merId）"),
        help=gettext_lazy("银联分配的 15 位商户代码。"),
        names_account=True,
    ),
    Field(
        name="merchant_cert",
        label=gettext_lazy("商户私钥证书"),
        help=gettext_lazy(
            "直接选从 CFCA 下载的 .pfx 文件；也可以粘贴它的 base64 文本，"
            "或包含证书和私钥的 PEM。保存后不再显示。"
        ),
        secret=True,
        multiline=True,
        accept=".pfx,.p12,.pem",
    ),
    Field(
        name="cert_password",
        label=gettext_lazy("证书密码"),
        help=gettext_lazy("导出 .pfx 时设置的密码；没有加密的 PEM 可以不填。"),
        secret=True,
        is_optional=True,
    ),
    Field(
        name="root_cert",
        label=gettext_lazy("银联根证书"),
        help=gettext_lazy("开放平台提供的 acp_prod_root.cer，用文本方式打开后完整粘贴。"),
        multiline=True,
    ),
    Field(
        name="middle_cert",
        label=gettext_lazy("银联中级证书"),
        help=gettext_lazy("开放平台提供的 acp_prod_middle.cer。换证期间可以新旧两份一起粘贴。"),
        multiline=True,
    ),
    Field(
        name="same_day",
        label=gettext_lazy("当日全额退款"),
        help=gettext_lazy("消费撤销当天退回，需要银联开通；退货一般 1 到 10 天到账。"),
        default="refund",
        choices=(("refund", gettext_lazy("退货")), ("cancel", gettext_lazy("消费撤销"))),
    ),
    Field(
        name="gateway_url",
        label=gettext_lazy("网关地址"),
        help=gettext_lazy("一般不用改。测试环境为 https://gateway.test.95516.com/"),
        default="https://gateway.95516.com/",
    ),
    Field(
        name="file_url",
        label=gettext_lazy("对账文件地址"),
        help=gettext_lazy("一般不用改。测试环境为 https://filedownload.test.95516.com/"),
        default="https://filedownload.95516.com/",
    ),
)
_MER_ID = re.compile(r"[0-9A-Z]{15}")
_FRAME = re.compile(r"-----(BEGIN|END) CERTIFICATE-----")
_HOST = ".95516.com"
_TEST_HOST = ".test.95516.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked UnionPay account; both addresses end in a slash."""

    mer_id: str
    merchant_cert: str = field(repr=False)
    cert_password: str = field(repr=False)
    root_cert: str = field(repr=False)
    middle_cert: str = field(repr=False)
    same_day: str = "refund"
    gateway_url: str = "https://gateway.95516.com/"
    file_url: str = "https://filedownload.95516.com/"

    @property
    def merchant(self) -> Merchant:
        """Return what signs the requests."""
        return load_merchant(self.merchant_cert, self.cert_password)

    @property
    def owners(self) -> tuple[str, ...]:
        """Return who may sign as UnionPay; the test system has a signer of its own."""
        is_test = (urlsplit(self.gateway_url).hostname or "").endswith(_TEST_HOST)
        return (OWNER, TEST_OWNER) if is_test else (OWNER,)

    @property
    def cashier_origins(self) -> tuple[str, ...]:
        """Return where the front page leads on to: another host of UnionPay's."""
        is_real = (urlsplit(self.gateway_url).hostname or "").endswith(_HOST)
        return (f"https://*{_HOST}",) if is_real else ()

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        config, problems = cls._read(form)
        for name, text in (
            ("merchant_cert", _find_expired_merchant(config)),
            ("root_cert", _find_expired(config.root_cert)),
            ("middle_cert", _find_expired(config.middle_cert)),
        ):
            if text and name not in problems:
                problems[name] = text
        if problems:
            raise ConfigInvalid(problems)
        return config

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks but the dates: time goes on."""
        config, problems = cls._read(data)
        if problems:
            raise ConfigInvalid(problems)
        return config

    @classmethod
    def _read(cls, form: Mapping[str, str]) -> tuple[Self, dict[str, str]]:
        values = read_fields(form, FIELDS)
        merchant_cert = values["merchant_cert"]
        if "PRIVATE KEY" not in merchant_cert:  # certutil frames a PFX as if it were PEM
            merchant_cert = "".join(_FRAME.sub("", merchant_cert).split())
        config = cls(**{**values, "merchant_cert": merchant_cert})
        problems = {
            "mer_id": "" if _MER_ID.fullmatch(config.mer_id) else _("商户号应为 15 位，请检查。"),
            "same_day": "" if config.same_day in ("refund", "cancel") else _("请选择退款方式。"),
            "gateway_url": find_address_problem(config.gateway_url),
            "file_url": find_address_problem(config.file_url),
            **_find_key_problems(config),
            **_find_chain_problems(config),
        }
        found = {name: problem for name, problem in problems.items() if problem}
        ending = {name: values[name].rstrip("/") + "/" for name in ("gateway_url", "file_url")}
        return cls(**{**values, "merchant_cert": merchant_cert, **ending}), found

    def to_json(self) -> dict[str, str]:
        """Return every field, key and password in clear: only for encryption at rest."""
        return {each.name: getattr(self, each.name) for each in FIELDS}


def _find_key_problems(config: Config) -> dict[str, str]:
    if not config.merchant_cert:
        return {"merchant_cert": _("请选择或粘贴商户私钥证书，不能为空。")}
    is_pfx = "-----BEGIN" not in config.merchant_cert
    no_password = is_pfx and not config.cert_password
    try:
        load_merchant(config.merchant_cert, config.cert_password)
    except NoKey as fault:
        if fault.wrong_password:
            text = _("证书密码不正确，请填写导出 .pfx 时设置的密码。")
            return {"cert_password": text}
        text = _("这不是商户私钥证书。请选择从 CFCA 下载的 .pfx 文件，或完整粘贴它的文本。")
        return {"merchant_cert": text}
    if no_password:
        return {"cert_password": _("这个 .pfx 没有密码保护，请设置密码后重新导出。")}
    return {}


def _find_chain_problems(config: Config) -> dict[str, str]:
    problems = {}
    for name, text in (("root_cert", config.root_cert), ("middle_cert", config.middle_cert)):
        try:
            load_bundle(text)
        except ValueError:
            problems[name] = _(
                "无法识别这份证书，请用文本方式打开 .cer 文件，从 BEGIN 到 END 完整粘贴。"
            )
    if problems:
        return problems
    roots = load_bundle(config.root_cert)
    if not all(map(is_root, roots)):
        return {"root_cert": _("这不是根证书，请检查是否和中级证书填反了。")}
    if not all(is_vouched_for(each, roots) for each in load_bundle(config.middle_cert)):
        return {"middle_cert": _("这份中级证书不是由上面的根证书签发的，请检查两份证书是否配套。")}
    return {}


def _find_expired_merchant(config: Config) -> str:
    try:
        expires_at = config.merchant.expires_at
    except NoKey:
        return ""
    return _("商户证书已经过期，请在 CFCA 更新证书。") if now() > expires_at else ""


def _find_expired(text: str) -> str:
    try:
        bundle = load_bundle(text)
    except ValueError:
        return ""
    is_over = all(has_expired(each, now()) for each in bundle)
    return _("证书已经过期，请到银联开放平台下载新的证书。") if is_over else ""
