"""The form of a payment gateway: its terms, and the credentials that its provider asks for.

Promises that a secret is never written into a page: it is typed, sent once, and from then on only
replaced.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import (
    LineField,
    PercentField,
    PickField,
    PlainField,
    WholeField,
    YuanField,
)
from kameng.payments.models import FeeBearer, Gateway
from kameng.payments.providers.port import Field, Provider
from kameng.payments.services.gateways import GatewayTerms
from kameng.pricing.money import ZERO
from kameng.tenancy.settings import SiteSettings

PREFIX: Final = "key_"
FILE_PREFIX: Final = "file_"
MAX_FILE_BYTES: Final = 16 << 10  # a PFX with its whole chain takes some 8
PEM_START: Final = b"-----BEGIN"
MAX_FEE_BPS: Final = 2000
MAX_SEGMENTS: Final = 4  # more choices are a list
MAX_TEXT: Final = 16_000  # a root certificate file holds several
DEVICE_NAMES: Final = (
    ("pc", _("电脑")),
    ("mobile", _("手机浏览器")),
    ("wechat", _("微信里")),
    ("alipay", _("支付宝里")),
)


class SecretLine(forms.PasswordInput):
    """A secret of one line, never rendered back."""

    def __init__(self) -> None:
        super().__init__(render_value=False, attrs={"autocomplete": "new-password"})


class SecretText(forms.Textarea):
    """A secret of several lines, never rendered back."""

    def __init__(self) -> None:
        attrs = {"rows": 4, "autocomplete": "off", "spellcheck": "false", "class": "mono"}
        super().__init__(attrs=attrs)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Render without the value."""
        return super().get_context(name, None, attrs)


class GatewayForm(forms.Form):
    """What the owner decides about a gateway, and its credentials."""

    name = LineField(
        label=_("名称"), max_length=40, help_text=_("买家付款时看到的名字，例如 支付宝。")
    )
    method = PickField((), label=_("支付方式"), as_segments=True)
    fee_bps = PercentField(
        high_bps=MAX_FEE_BPS, label=_("手续费"), help_text=_("支付平台从每笔付款里扣的比例。")
    )
    min_amount = YuanField(label=_("单笔最低"))
    max_amount = YuanField(label=_("单笔最高"), low=1)
    way_id = PickField(
        (),
        label=_("归入的支付方式"),
        required=False,
        help_text=_(
            "归入后，买家只看到那个支付方式，由几个商户号轮流收款；一个出问题，自动换另一个。"
        ),
    )
    label = LineField(
        label=_("账户备注"),
        max_length=40,
        required=False,
        help_text=_("只给员工看，例如 二号商户。"),
    )
    weight = WholeField(
        low=0,
        high=1000,
        label=_("权重"),
        required=False,
        help_text=_("同一支付方式里权重越大，收得越多。0 表示备用，别的都不能用时才用。"),
    )
    daily_cap_amount = YuanField(
        label=_("每日限额"),
        low=1,
        required=False,
        help_text=_("每天（北京时间）最多收这么多，满了自动换别的账户。留空不限。"),
    )
    devices = forms.MultipleChoiceField(
        choices=DEVICE_NAMES,
        label=_("显示在"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("都不勾选，表示支付平台支持的地方都显示。"),
        error_messages={"invalid_choice": _("请从列表中选择。")},
    )
    fee_bearer = PickField(
        FeeBearer.choices, label=_("手续费由谁承担"), as_segments=True, required=False
    )

    def __init__(
        self,
        *args: Any,
        provider: Provider[Any],
        is_stored: bool = False,
        ways: Sequence[tuple[int, str]] = (),
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.provider = provider
        self.wanted_files: list[Field] = []
        alone = ("", _("自己是一个支付方式"))
        self.fields["way_id"].choices = [alone, *ways]  # type: ignore[attr-defined]
        methods = [(each.code, each.label) for each in provider.methods]
        self.fields["method"].choices = methods  # type: ignore[attr-defined]
        for each in provider.fields:
            self.fields[PREFIX + each.name] = _credential(each, is_stored=is_stored)
            if each.accept:
                self.fields[FILE_PREFIX + each.name] = _upload(each)
                if not is_stored:
                    self._ask_for_one(each)

    def _ask_for_one(self, each: Field) -> None:
        """Say at the file and at its text that one of the two is needed."""
        self.wanted_files.append(each)
        for name in (FILE_PREFIX + each.name, PREFIX + each.name):
            self.fields[name].mark = _("二选一，必填")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Check that the range is one, and that a file or its text is there, not both."""
        values: dict[str, Any] = super().clean() or {}
        low, high = values.get("min_amount"), values.get("max_amount")
        if low is not None and high is not None and low > high:
            self.add_error("max_amount", _("不能低于单笔最低。"))
        for each in self.provider.fields:
            if each.accept:
                self._take_file(each, values)
        return values

    def _take_file(self, each: Field, values: dict[str, Any]) -> None:
        """Put what was uploaded in the place of what was pasted; not both at once."""
        name, file_name = PREFIX + each.name, FILE_PREFIX + each.name
        upload, pasted = values.get(file_name), values.get(name)
        labels = {"file": self.fields[file_name].label, "text": self.fields[name].label}
        if upload is not None and pasted:
            text = _("“%(file)s”和“%(text)s”只用一项，请去掉另一项。")
            self.add_error(file_name, text % labels)
        elif upload is not None:
            values[name] = read_credential_file(upload.read())
        elif each in self.wanted_files and not pasted and not {name, file_name} & set(self.errors):
            text = _("请在“%(file)s”里选文件，或在“%(text)s”里粘贴文本，两项填一项。")
            self.add_error(file_name, text % labels)

    @property
    def credentials(self) -> list[tuple[forms.BoundField, bool]]:
        """Return the fields of the credentials in order, and which are side by side."""
        shown: list[tuple[forms.BoundField, bool]] = []
        for each in self.provider.fields:
            if each.accept:
                shown.append((self[FILE_PREFIX + each.name], False))
            shown.append((self[PREFIX + each.name], _has_segments(each)))
        return shown

    @property
    def has_upload(self) -> bool:
        """Tell whether the form must be sent as one with files."""
        return any(each.accept for each in self.provider.fields)

    def typed_credentials(self) -> dict[str, str]:
        """Return the credentials as typed, by the provider's own names."""
        return {
            each.name: str(self.cleaned_data.get(PREFIX + each.name) or "")
            for each in self.provider.fields
        }

    def tell_problems(self, problems: Mapping[str, str]) -> None:
        """Put the provider's sentences at the fields they speak of."""
        for name, text in problems.items():
            self.add_error(PREFIX + name if PREFIX + name in self.fields else None, text)

    def terms(self, *, position: int) -> GatewayTerms:
        """Return what the checked form says besides the credentials and its place."""
        data = self.cleaned_data
        weight = data["weight"]
        return GatewayTerms(
            name=data["name"],
            method=data["method"],
            fee_bps=data["fee_bps"],
            min_amount=data["min_amount"] or ZERO,
            max_amount=data["max_amount"],
            position=position,
            way_id=int(data["way_id"]) if data["way_id"] else None,
            label=data["label"],
            weight=100 if weight is None else weight,
            daily_cap_amount=data["daily_cap_amount"],
            devices=tuple(data["devices"]),
            fee_bearer=int(data["fee_bearer"] or FeeBearer.SITE),
        )


def read_credential_file(data: bytes) -> str:
    """Return what a file holds as it would be pasted: PEM as it is, anything else in base64."""
    if PEM_START in data:
        return data.decode("ascii", errors="replace")
    return base64.b64encode(data).decode("ascii")


class UploadField(forms.FileField):
    """A small file with a credential; its size is looked at before it is read."""

    def __init__(self, *, accept: str, **options: Any) -> None:
        widget = forms.FileInput(attrs={"accept": accept})
        super().__init__(widget=widget, required=False, max_length=200, **options)

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return the file; raise ValidationError for one that is empty or too large."""
        file = super().clean(data, initial)
        if file is not None and file.size > MAX_FILE_BYTES:
            text = _("文件超过 %(limit)s KB，不是证书文件。") % {"limit": MAX_FILE_BYTES >> 10}
            raise ValidationError(text)
        return file


def _upload(each: Field) -> UploadField:
    return UploadField(
        accept=each.accept,
        label=_("%(name)s（选择文件）") % {"name": each.label},
        help_text=_("最多 %(limit)s KB，加密保存，不再显示。") % {"limit": MAX_FILE_BYTES >> 10},
        error_messages={"empty": _("文件是空的，请检查后重新选择。")},
    )


def _has_segments(each: Field) -> bool:
    return 0 < len(each.choices) <= MAX_SEGMENTS


def _credential(each: Field, *, is_stored: bool) -> forms.Field:
    options: dict[str, Any] = {
        "label": each.label,
        "help_text": each.help,
        "required": not (
            each.default or each.is_optional or each.accept or (each.secret and is_stored)
        ),
        "max_length": MAX_TEXT if each.multiline else 300,
    }
    if each.choices:
        options.pop("max_length")
        return PickField(
            each.choices, initial=each.default, as_segments=_has_segments(each), **options
        )
    if each.secret and is_stored:
        options["help_text"] = _("已保存，不再显示。留空表示不变，要换时粘贴新的。")
    if each.secret:
        return PlainField(widget=SecretText() if each.multiline else SecretLine(), **options)
    if each.multiline:
        return PlainField(widget=forms.Textarea(attrs={"rows": 4}), **options)
    return LineField(initial=each.default, **options)


def gateway_values(gateway: Gateway, readable: Mapping[str, str]) -> dict[str, Any]:
    """Return a stored gateway as the form shows it; `readable` holds no secret."""
    names = (
        *("name", "method", "fee_bps", "min_amount", "max_amount", "way_id", "label"),
        *("weight", "daily_cap_amount", "devices", "fee_bearer"),
    )
    shown = {PREFIX + name: value for name, value in readable.items()}
    return {name: getattr(gateway, name) for name in names} | shown


NEW_VALUES: Final = {
    "fee_bps": 60,
    "min_amount": 0,
    "max_amount": 500_000_000,
    "weight": 100,
    "fee_bearer": FeeBearer.SITE,
}


class OfferForm(forms.Form):
    """Which of the main site's ways a sub-site offers, in which order and between which amounts."""

    offered = forms.TypedMultipleChoiceField(
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("请从列表中选择。")},
    )

    def __init__(
        self,
        *args: Any,
        ways: Sequence[tuple[Gateway, int, int]],
        settings: SiteSettings,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.ways = ways
        self.settings = settings
        own = {key: (low, high) for key, low, high in settings.pay_limits}
        ids = [row.id for row, _low, _high in ways]
        self.fields["offered"].choices = [(each, each) for each in ids]  # type: ignore[attr-defined]
        for row, low, high in ways:
            mine = own.get(row.id, (0, 0))
            for name, value in (("low", mine[0]), ("high", mine[1])):
                self.fields[f"{name}_{row.id}"] = YuanField(
                    label=_("最低") if name == "low" else _("最高"),
                    low=low,
                    high=high,
                    required=False,
                    initial=value or None,
                )

    def clean(self) -> dict[str, Any]:
        """Check that each range is one."""
        values: dict[str, Any] = super().clean() or {}
        for row, _low, _high in self.ways:
            low, high = values.get(f"low_{row.id}"), values.get(f"high_{row.id}")
            if low is not None and high is not None and low > high:
                self.add_error(f"high_{row.id}", _("不能低于单笔最低。"))
        return values

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the ways as the page shows them."""
        hidden = set(self.settings.hidden_gateway_ids)
        return [
            {
                "way": row,
                "low_amount": low,
                "high_amount": high,
                "is_offered": row.id not in hidden,
                "low": self[f"low_{row.id}"],
                "high": self[f"high_{row.id}"],
            }
            for row, low, high in self.ways
        ]

    def changes(self, move: str) -> dict[str, object]:
        """Return the settings that the checked form says; `move` is `up:` or `down:` and a way."""
        ids = [row.id for row, _low, _high in self.ways]
        offered = self.cleaned_data["offered"]
        limits = [
            [key, self.cleaned_data[f"low_{key}"] or 0, self.cleaned_data[f"high_{key}"] or 0]
            for key in ids
        ]
        return {
            "hidden_gateway_ids": [key for key in ids if key not in offered],
            "pay_order": moved(ids, move),
            "pay_limits": [limit for limit in limits if limit[1] or limit[2]],
        }


def moved(ids: list[int], move: str) -> list[int]:
    """Return ids with one a place further, as `up:7` or `down:7` says; odd words do nothing."""
    way, _sep, number = move.partition(":")
    if way not in {"up", "down"} or number not in {str(each) for each in ids}:
        return ids
    here = ids.index(int(number))
    there = here - 1 if way == "up" else here + 1
    if not 0 <= there < len(ids):
        return ids
    order = list(ids)
    order[here], order[there] = order[there], order[here]
    return order
