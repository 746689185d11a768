"""What a shop enters for Stripe: account, keys, currency and rate.

Promises that keys are secret ones of the chosen mode, not those that Stripe's documents show to the
world, that the two secrets are not swapped, and that `repr` shows neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.payments.providers.credentials import (
    find_address_problem,
    find_secret_problem,
    read_fields,
)
from kameng.payments.providers.port import ConfigInvalid, Field
from kameng.payments.providers.stripe.rates import MINOR_UNITS
from kameng.pricing.money import SCALE, parse_yuan

LIVE: Final = "live"
TEST: Final = "test"

FIELDS: Final = (
    Field(
        name="account_id",
        label=gettext_lazy("账户号"),
        help=gettext_lazy("以 acct_ 开头，在 Stripe 后台“设置 → 账户详情”。"),
        names_account=True,
    ),
    Field(
        name="mode",
        label=gettext_lazy("环境"),
        help=gettext_lazy("测试环境只收测试卡，不会真的扣款。"),
        default=LIVE,
        names_account=True,
        choices=((LIVE, gettext_lazy("正式")), (TEST, gettext_lazy("测试"))),
    ),
    Field(
        name="secret_key",
        label=gettext_lazy("API 密钥"),
        help=gettext_lazy("以 sk_ 或 rk_ 开头的密钥，保存后不再显示。"),
        secret=True,
    ),
    Field(
        name="webhook_secret",
        label=gettext_lazy("Webhook 签名密钥"),
        help=gettext_lazy(
            "以 whsec_ 开头。Webhook 只订阅 checkout.session、refund 和 charge.dispute 事件。"
        ),
        secret=True,
    ),
    Field(
        name="currency",
        label=gettext_lazy("收款货币"),
        help=gettext_lazy("Stripe 账户支持收取的货币，例如 usd。"),
        default="cny",
        names_account=True,
        choices=tuple((code, code.upper()) for code in MINOR_UNITS),
    ),
    Field(
        name="rate",
        label=gettext_lazy("汇率"),
        help=gettext_lazy("1 单位外币等于多少元，最多四位小数，例如 7.1234。收人民币时不填。"),
        is_optional=True,
    ),
    Field(
        name="gateway_url",
        label=gettext_lazy("网关地址"),
        help=gettext_lazy("一般不用改。"),
        default="https://api.stripe.com/",
    ),
)

_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{8,40}")
_KEY = re.compile(r"(sk|rk)_(live|test)_([A-Za-z0-9_]{16,200})")
_WEBHOOK = re.compile(r"whsec_([A-Za-z0-9+/=_-]{16,200})")
# What Stripe's documents show: everybody knows them.
_PUBLISHED = (
    "4eC39HqLyjWDarjtT1zdp7dc",
    "BQokikJOvBiI2HlWgH4olfQ2",
    "tR3PYbcVNZZ796tHm7cvS7C0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked Stripe account; `rate` is 1/10000 yuan for one unit of the currency."""

    account_id: str
    mode: str = LIVE
    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    currency: str = "cny"
    rate: int = SCALE
    gateway_url: str = "https://api.stripe.com/"

    @property
    def is_live(self) -> bool:
        """Whether money is real."""
        return self.mode == LIVE

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        values = read_fields(form, FIELDS)
        rate, rate_problem = _read_rate(values["rate"], currency=values["currency"])
        problems = {
            "account_id": ""
            if _ACCOUNT.fullmatch(values["account_id"])
            else _("账户号应以 acct_ 开头。"),
            "mode": "" if values["mode"] in (LIVE, TEST) else _("请选择正式或测试环境。"),
            "secret_key": _find_key_problem(values["secret_key"], mode=values["mode"]),
            "webhook_secret": _find_webhook_problem(values["webhook_secret"]),
            "currency": "" if values["currency"] in MINOR_UNITS else _("暂不支持这种货币。"),
            "rate": rate_problem,
            "gateway_url": find_address_problem(values["gateway_url"]),
        }
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        address = values["gateway_url"].rstrip("/") + "/"
        return cls(**{**values, "rate": rate, "gateway_url": address})  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks."""
        return cls.from_form(data)

    def to_json(self) -> dict[str, str]:
        """Return every field, the secrets in clear: only for encryption at rest."""
        whole, part = divmod(self.rate, SCALE)
        return {
            "account_id": self.account_id,
            "mode": self.mode,
            "secret_key": self.secret_key,
            "webhook_secret": self.webhook_secret,
            "currency": self.currency,
            "rate": f"{whole}.{part:04d}",
            "gateway_url": self.gateway_url,
        }


def _read_rate(text: str, *, currency: str) -> tuple[int, str]:
    if currency == "cny":
        is_one = text in ("", "1", "1.0000")
        return SCALE, "" if is_one else _("收人民币时汇率只能是 1，请留空。")
    if not text:
        return 0, _("请填写汇率：1 单位外币等于多少元。")
    try:
        rate = int(parse_yuan(text))
    except ValueError:
        return 0, _("汇率应为大于 0 的数字，最多四位小数，例如 7.1234。")
    if not SCALE // 1000 <= rate <= 1000 * SCALE:
        return 0, _("汇率应在 0.001 到 1000 之间。")
    return rate, ""


def _find_key_problem(text: str, *, mode: str) -> str:
    if not text:
        return _("请填写 API 密钥，不能为空。")
    if text.startswith("pk_"):
        return _("这是可公开的密钥（pk_），请填写 sk_ 或 rk_ 开头的密钥。")
    if text.startswith("whsec_"):
        return _("这是 Webhook 签名密钥，请填到下一栏。")
    found = _KEY.fullmatch(text)
    if found is None:
        return _("API 密钥应以 sk_live_、sk_test_ 或 rk_ 开头，请完整复制。")
    if found[3] in _PUBLISHED:
        return _("这是 Stripe 文档里的公开示例密钥，请填写自己账户的密钥。")
    if found[2] != mode:
        return _("密钥与所选环境不一致：live 密钥用于正式环境，test 密钥用于测试环境。")
    return find_secret_problem(found[3])


def _find_webhook_problem(text: str) -> str:
    if not text:
        return _("请填写 Webhook 签名密钥，不能为空：空密钥等于不验签。")
    if text.startswith(("sk_", "rk_", "pk_")):
        return _("这是 API 密钥，请填写 whsec_ 开头的 Webhook 签名密钥。")
    found = _WEBHOOK.fullmatch(text)
    if found is None:
        return _("Webhook 签名密钥应以 whsec_ 开头，请完整复制。")
    return find_secret_problem(found[1])
