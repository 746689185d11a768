"""The form of a payment gateway: its terms, and the credentials that its provider asks for.

Promises that a secret is never written into a page: it is typed, sent once, and from then on only
replaced.
"""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import (
    LineField,
    PercentField,
    PickField,
    PlainField,
    WholeField,
    YuanField,
)
from kameng.payments.models import Gateway
from kameng.payments.providers.port import Field, Provider
from kameng.payments.services.gateways import GatewayTerms
from kameng.pricing.money import ZERO

PREFIX: Final = "key_"
MAX_FEE_BPS: Final = 2000
MAX_SEGMENTS: Final = 4  # more choices are a list
MAX_TEXT: Final = 16_000  # a root certificate file holds several


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
    position = WholeField(low=-10_000, high=10_000, label=_("排序"), help_text=_("越小越靠前。"))

    def __init__(
        self, *args: Any, provider: Provider[Any], is_stored: bool = False, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.provider = provider
        methods = [(each.code, each.label) for each in provider.methods]
        self.fields["method"].choices = methods  # type: ignore[attr-defined]
        for each in provider.fields:
            self.fields[PREFIX + each.name] = _credential(each, is_stored=is_stored)

    def clean(self) -> dict[str, Any]:
        """Check that the range is one."""
        values: dict[str, Any] = super().clean() or {}
        low, high = values.get("min_amount"), values.get("max_amount")
        if low is not None and high is not None and low > high:
            self.add_error("max_amount", _("不能低于单笔最低。"))
        return values

    @property
    def credentials(self) -> list[tuple[forms.BoundField, bool]]:
        """Return the fields of the credentials in order, and which are side by side."""
        return [(self[PREFIX + each.name], _has_segments(each)) for each in self.provider.fields]

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

    def terms(self) -> GatewayTerms:
        """Return what the checked form says besides the credentials."""
        data = self.cleaned_data
        return GatewayTerms(
            name=data["name"],
            method=data["method"],
            fee_bps=data["fee_bps"],
            min_amount=data["min_amount"] or ZERO,
            max_amount=data["max_amount"],
            position=data["position"],
        )


def _has_segments(each: Field) -> bool:
    return 0 < len(each.choices) <= MAX_SEGMENTS


def _credential(each: Field, *, is_stored: bool) -> forms.Field:
    options: dict[str, Any] = {
        "label": each.label,
        "help_text": each.help,
        "required": not (each.default or each.is_optional or (each.secret and is_stored)),
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
    names = ("name", "method", "fee_bps", "min_amount", "max_amount", "position")
    shown = {PREFIX + name: value for name, value in readable.items()}
    return {name: getattr(gateway, name) for name in names} | shown


NEW_VALUES: Final = {
    "fee_bps": 60,
    "min_amount": 0,
    "max_amount": 500_000_000,
    "position": "0",
}


class OfferForm(forms.Form):
    """Which of the main site's gateways a sub-site offers to its buyers."""

    offered = forms.TypedMultipleChoiceField(
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("请从列表中选择。")},
    )

    def __init__(self, *args: Any, gateway_ids: list[int], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["offered"].choices = [(each, each) for each in gateway_ids]  # type: ignore[attr-defined]
        self.gateway_ids = gateway_ids

    def hidden_ids(self) -> list[int]:
        """Return the gateways that are not offered."""
        return [each for each in self.gateway_ids if each not in self.cleaned_data["offered"]]
