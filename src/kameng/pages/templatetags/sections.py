"""Tags of section templates: pictures, links, and the marks by which the editor finds its texts."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from kameng.pages.fields import Props, is_safe_url
from kameng.pages.registry import World
from kameng.pages.sanitising import clean_html

register = template.Library()
STEP = 10  # focal points are rounded to tenths: a class each, because pages have no inline style


@register.simple_tag(takes_context=True)
def edit(context: Context, path: str) -> SafeString:
    """Mark an element whose text can be typed in place: <h2{% edit "title" %}>."""
    if not context["is_editing"]:
        return mark_safe("")
    return format_html(' data-edit="{}"', path)


@register.simple_tag(takes_context=True)
def edit_item(context: Context, name: str, position: int, path: str) -> SafeString:
    """Mark a text of one entry of a list: <p{% edit_item "slides" forloop.counter0 "title" %}>."""
    return edit(context, f"{name}.{position}.{path}")


@register.simple_tag(takes_context=True)
def picture(
    context: Context, value: Props | None, css_class: str = "", *, sizes: str = "100vw"
) -> SafeString:
    """Print a picture of the library in the size that the screen needs; nothing when it is gone."""
    world: World = context["world"]
    found = world.pictures.get(value["id"]) if value else None
    if value is None or found is None:
        return mark_safe("")
    name, is_first = found.digest[:16], bool(context.get("is_first"))

    def address(width: int) -> str:
        return reverse("storefront:picture", args=(found.id, name, width))

    focus = f"fx-{_step(value['x'])} fy-{_step(value['y'])}"
    return format_html(
        '<img class="{} {}" src="{}" srcset="{}" sizes="{}" alt="{}" width="{}" height="{}"'
        ' loading="{}" fetchpriority="{}" decoding="async">',
        css_class,
        focus,
        address(found.widths[-1]),
        ", ".join(f"{address(width)} {width}w" for width in found.widths),
        sizes,
        value["alt"],
        found.width,
        found.height,
        "eager" if is_first else "lazy",
        "high" if is_first else "auto",
    )


@register.filter
def rich(text: str) -> SafeString:
    """Print a rich text, cleaned once more: what is stored is not trusted to be clean.

    Links out of the shop lead over the page that says so, as those of links fields do.
    """
    leaving = f"{reverse('storefront:leaving')}?to="
    return mark_safe(clean_html(text, through=leaving))  # noqa: S308 - just cleaned


def _step(percent: int) -> int:
    return round(percent / STEP) * STEP


@register.simple_tag(takes_context=True)
def address(context: Context, link: Props | None) -> str:
    """Print where a link leads; an empty text when there is none or its goal is gone."""
    return find_address(link, context["world"])


def find_address(link: Props | None, world: World) -> str:
    """Return the address of a link, or an empty text."""
    if link is None:
        return ""
    fixed = {
        "home": "storefront:home",
        "all": "storefront:search",
        "lookup": "storefront:lookup",
        "help": "storefront:help",
        "about": "storefront:about",
    }
    goal: Any = link["to"]
    if goal in fixed:
        return reverse(fixed[goal])
    if goal == "open" and world.site.is_main:
        return reverse("storefront:plans")
    if goal == "category" and world.catalogue.find_category(link["id"]) is not None:
        return reverse("storefront:category", args=(link["id"],))
    if goal == "product" and world.catalogue.find_product(link["id"]) is not None:
        return reverse("storefront:product", args=(link["id"],))
    if goal == "page":
        return world.pages.get(link["id"], "")
    if goal == "url" and is_safe_url(link["url"]):
        if link["url"].startswith("/"):
            return str(link["url"])
        return f"{reverse('storefront:leaving')}?{_query(link['url'])}"
    return ""


def _query(url: str) -> str:
    return urlencode({"to": url})
