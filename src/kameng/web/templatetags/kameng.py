"""Tags and filters of every Kameng template: assets, icons, money and times.

Owns how a value becomes markup. Promises escaped output, no inline style or script, and that
money is printed by `pricing.money` alone.
"""

from datetime import datetime
from typing import Any

from django import forms, template
from django.conf import settings
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kameng.pricing.money import Amount, format_yuan
from kameng.web.assets import get_asset_path
from kameng.web.covers import get_style

register = template.Library()


def _static(name: str) -> str:
    prefix = settings.STATIC_URL or "/static/"
    return f"{prefix}{get_asset_path(name, is_live=settings.DEBUG)}"


@register.simple_tag
def asset(name: str) -> str:
    """Print the address of a built file: {% asset "storefront.css" %}."""
    return _static(name)


@register.simple_tag
def icon(name: str, css_class: str = "", label: str = "") -> SafeString:
    """Print an icon of the sprite: {% icon "home" %}, {% icon "x" "icon-lg" %}.

    Hidden from screen readers, because the words beside it say the same, unless `label` is given.
    """
    sprite = _static("icons.svg")
    classes = f"icon {css_class}" if css_class else "icon"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
            classes,
            label,
            sprite,
            name,
        )
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', classes, sprite, name
    )


def _describe(bound: BoundField, kind: str) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    ids = [f"{bound.auto_id}-{part}" for part in ("help", "error")]
    if kind not in ("check", "radios"):
        attrs["class"] = "input"
    attrs["aria-describedby"] = " ".join(ids)
    if bound.errors:
        attrs["aria-invalid"] = "true"
    return attrs


def _control_kind(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput):
        return "check"
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
        return "radios"
    if isinstance(widget, forms.Select):
        return "select"
    return "file" if isinstance(widget, forms.FileInput) else "input"


@register.inclusion_tag("web/partials/field.html")
def field(bound: BoundField, prefix: str = "", suffix: str = "") -> dict[str, Any]:
    """Print a form field whole: label, control, help and errors, tied together for screen readers.

    `prefix` and `suffix` are set beside the control: {% field form.price prefix="¥" %}.
    """
    kind = _control_kind(bound.field.widget)
    return {
        "bound": bound,
        "kind": kind,
        "control": bound.as_widget(attrs=_describe(bound, kind)),
        "prefix": prefix,
        "suffix": suffix,
        "help_id": f"{bound.auto_id}-help",
        "error_id": f"{bound.auto_id}-error",
    }


@register.simple_tag
def cover(url: str, alt: str = "", is_eager: bool = False) -> SafeString:  # noqa: FBT001, FBT002
    """Print a cover picture of fixed proportions, so that nothing moves when it arrives.

    `is_eager` is for the one picture above the fold; all others are fetched when near the screen.
    """
    return format_html(
        '<img class="cover" src="{}" alt="{}" width="400" height="300" loading="{}" '
        'decoding="async">',
        url,
        alt,
        "eager" if is_eager else "lazy",
    )


@register.filter
def hue(category_key: str) -> str:
    """Print the classes that colour an icon: class="category-icon {{ key|hue }}"."""
    return f"hue hue-{get_style(category_key).number}"


def _grouped(amount: int) -> str:
    whole, _, rest = format_yuan(Amount(abs(amount))).partition(".")
    return f"{int(whole):,}.{rest}"


@register.filter
def money(amount: int | None) -> str:
    """Print an amount as text: ¥1,234.56; a missing amount as a dash."""
    if amount is None:
        return "—"
    return f"{'-' if amount < 0 else ''}¥{_grouped(amount)}"


@register.filter
def signed_money(amount: int | None) -> str:
    """Print an amount of a statement with its sign: +¥12.00, -¥3.50, ¥0.00."""
    return f"+{money(amount)}" if amount is not None and amount > 0 else money(amount)


@register.filter
def price(amount: int | None) -> SafeString:
    """Print an amount as a price: small currency sign, large yuan, small cents."""
    if amount is None:
        return format_html('<span class="price">{}</span>', "—")
    whole, _, rest = _grouped(amount).partition(".")
    return format_html(
        '<span class="price"><span class="price-sign">{}¥</span>{}'
        '<span class="price-cents">.{}</span></span>',
        "-" if amount < 0 else "",
        whole,
        rest,
    )


@register.filter
def yuan(amount: int | None) -> str:
    """Print an amount for a form field or a data attribute: 1234.56, empty when missing."""
    return "" if amount is None else format_yuan(Amount(amount))


@register.filter
def percent(rate_bps: int | None) -> str:
    """Print a rate in basis points: 1250 → 12.5%."""
    if rate_bps is None:
        return "—"
    sign = "-" if rate_bps < 0 else ""
    whole, part = divmod(abs(rate_bps), 100)
    digits = f".{part:02d}".rstrip("0").rstrip(".") if part else ""
    return f"{sign}{whole}{digits}%"


_TIME_FORMATS = {
    "minute": "%Y-%m-%d %H:%M",
    "second": "%Y-%m-%d %H:%M:%S",
    "date": "%Y-%m-%d",
    "time": "%H:%M",
    "short": "%m-%d %H:%M",
}


@register.filter
def local_time(when: datetime | None, precision: str = "minute") -> str:
    """Print a time in the site's time zone: minute (default), second, date, time or short."""
    if when is None:
        return "—"
    return timezone.localtime(when).strftime(_TIME_FORMATS[precision])


@register.filter
def time_tag(when: datetime | None, precision: str = "minute") -> SafeString:
    """Print a time as a <time> element with the exact instant for machines and on hover."""
    if when is None:
        return format_html("{}", "—")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        when.isoformat(),
        local_time(when, "second"),
        local_time(when, precision),
    )
