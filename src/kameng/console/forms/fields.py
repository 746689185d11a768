"""Form fields that the console shares: money, rates, whole numbers and lines, read strictly.

Promises that what a form accepts is exactly one typed value, that full-width digits, signs and
exponents are refused with a sentence, and that what was typed is shown again as it was.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kameng.pricing.money import Amount, MoneyInvalid, format_yuan, parse_yuan

MAX_AMOUNT: Final = Amount(10_000_000_000)  # a million yuan: the largest price of the catalogue
_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONG: Final = re.compile(r"[0-9]{11,}")
_RATE: Final = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,2}))?")


def _is_odd(sign: str) -> bool:
    """Tell a control character, or one that turns the direction of what stands behind it."""
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _TURNING


class PlainField(forms.CharField):
    """A text whose refusals are said in plain words."""

    default_error_messages: ClassVar = {
        "max_length": _("最多 %(limit_value)s 个字，现在有 %(show_value)s 个。"),
        "required": _("请填写这一项。"),
    }


class LineField(PlainField):
    """One line of text: trimmed, no control characters."""

    def clean(self, value: Any) -> str:
        """Return the line; raise ValidationError."""
        text = str(super().clean(value))
        if any(_is_odd(sign) for sign in text):
            raise ValidationError(_("含有无法显示的字符，请删除后重试。"))
        return text


class TextField(PlainField):
    """A text of several lines, line ends made equal; no other control characters."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 4, **options: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": rows}), **options)

    def clean(self, value: Any) -> str:
        """Return the text; raise ValidationError."""
        text = str(super().clean(value)).replace("\r\n", "\n").replace("\r", "\n")
        if any(_is_odd(sign) and sign not in "\n\t" for sign in text):
            raise ValidationError(_("含有无法显示的字符，请删除后重试。"))
        return text


class YuanField(PlainField):
    """An amount typed in yuan, `Amount` in code; empty gives None when not required."""

    def __init__(self, *, low: int = 0, high: int = MAX_AMOUNT, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(widget=widget, max_length=16, **options)
        self.low, self.high = low, high

    def clean(self, value: Any) -> Amount | None:
        """Return the amount; raise ValidationError."""
        text = str(super().clean(value))
        if not text:
            return None
        try:
            amount = Amount(MAX_AMOUNT + 1) if _LONG.fullmatch(text) else parse_yuan(text)
        except MoneyInvalid as fault:
            raise ValidationError(
                _("小数最多 4 位。")
                if fault.code == "money_precision"
                else _("只填数字，例如 12.50。")
            ) from None
        if not self.low <= amount <= self.high:
            bounds = {"low": format_yuan(Amount(self.low)), "high": format_yuan(Amount(self.high))}
            raise ValidationError(_("应在 %(low)s 到 %(high)s 元之间。") % bounds)
        return amount

    def prepare_value(self, value: Any) -> Any:
        """Print a stored amount; what was typed stays as it is."""
        is_amount = isinstance(value, int) and not isinstance(value, bool)
        return format_yuan(Amount(value)) if is_amount else value


class PercentField(PlainField):
    """A rate typed in percent with at most two decimals, basis points in code."""

    def __init__(self, *, high_bps: int, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(widget=widget, max_length=8, **options)
        self.high_bps = high_bps

    def clean(self, value: Any) -> int | None:
        """Return basis points; raise ValidationError."""
        text = str(super().clean(value))
        if not text:
            return None
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValidationError(_("只填数字，最多两位小数，例如 8.5。"))
        rate_bps = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
        if rate_bps > self.high_bps:
            limit = {"high": self.high_bps // 100}
            raise ValidationError(_("应在 0% 到 {high}% 之间。").format(**limit))
        return rate_bps

    def prepare_value(self, value: Any) -> Any:
        """Print a stored rate without idle zeros; what was typed stays as it is."""
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        return f"{value // 100}.{value % 100:02d}".rstrip("0").rstrip(".")


class WholeField(PlainField):
    """A whole number in ASCII digits."""

    def __init__(self, *, low: int, high: int, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(widget=widget, max_length=10, **options)
        self.low, self.high = low, high

    def clean(self, value: Any) -> int | None:
        """Return the number; raise ValidationError."""
        text = str(super().clean(value))
        if not text:
            return None
        if _WHOLE.fullmatch(text) is None or not self.low <= int(text) <= self.high:
            bounds = {"low": self.low, "high": self.high}
            raise ValidationError(_("应为 %(low)s 到 %(high)s 之间的整数。") % bounds)
        return int(text)


class PickField(forms.ChoiceField):
    """One of the choices given, shown as a list or (`as_segments`) as buttons side by side."""

    def __init__(
        self, choices: Iterable[tuple[Any, Any]], *, as_segments: bool = False, **options: Any
    ) -> None:
        widget = forms.RadioSelect if as_segments else forms.Select
        plain = {"required": _("请选择一项。"), "invalid_choice": _("请从列表中选择。")}
        options["error_messages"] = plain | options.get("error_messages", {})
        super().__init__(choices=list(choices), widget=widget, **options)


def read_id(text: str | None) -> int | None:
    """Return the id that a query or a hidden field holds, or None for anything else."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 18:
        return None
    return int(text) or None


def read_ids(texts: Iterable[str], *, limit: int = 500) -> list[int]:
    """Return the ids of ticked rows, each once, at most `limit`; what is no id is left out."""
    ids = dict.fromkeys(found for found in map(read_id, texts) if found is not None)
    return list(ids)[:limit]
