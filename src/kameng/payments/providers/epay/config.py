"""What a shop enters for an epay gateway: address, merchant number, key, and how to open payments.

Promises that a weak or default key never gets in, and that `repr` never shows the key.
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
        name="key",
        label=gettext_lazy("商户密钥（key）"),
        help=gettext_lazy("从支付平台商户后台完整复制，保存后不再显示。"),
        secret=True,
    ),
    Field(
        name="opening",
        label=gettext_lazy("打开方式"),
        help=gettext_lazy("跳转最通用；接口方式可以在本站直接显示二维码，需要平台支持 mapi.php。"),
        default="page",
        choices=(("page", gettext_lazy("跳转到收银台")), ("api", gettext_lazy("接口下单"))),
    ),
)

_PID = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked epay account. `gateway_url` ends in a slash."""

    gateway_url: str
    pid: str
    key: str = field(repr=False)
    opening: str = "page"

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the console form; raises ConfigInvalid with a sentence for each wrong field."""
        values = read_fields(form, FIELDS)
        problems = {
            "gateway_url": find_address_problem(values["gateway_url"]),
            "pid": "" if _PID.fullmatch(values["pid"]) else _("商户 ID 应为数字，请检查。"),
            "key": find_secret_problem(values["key"]),
            "opening": "" if values["opening"] in ("page", "api") else _("请选择打开方式。"),
        }
        problems = {name: problem for name, problem in problems.items() if problem}
        if problems:
            raise ConfigInvalid(problems)
        address = re.sub(r"(submit|mapi|api)\.php$", "", values["gateway_url"])
        return cls(
            gateway_url=address.rstrip("/") + "/",
            pid=values["pid"],
            key=values["key"],
            opening=values["opening"],
        )

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Read what `to_json` gave, with the same checks."""
        return cls.from_form(data)

    def to_json(self) -> dict[str, str]:
        """Return every field, the key in clear: only for encryption at rest."""
        return {
            "gateway_url": self.gateway_url,
            "pid": self.pid,
            "key": self.key,
            "opening": self.opening,
        }
