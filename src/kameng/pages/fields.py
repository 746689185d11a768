"""The kinds of field that sections are made of: how the editor shows them, what may be kept.

Pure. A value of the wrong shape is never kept (`is_fatal`); one that is incomplete or too long may
stand in a draft but not be published. Shapes by kind:

text, lines   str, one line or several
rich          str, HTML that `sanitising.clean_html` has passed
image         {"id": picture, "x": 0–100, "y": 0–100 (focal point in %), "alt": str} or None
link          {"to": one of TARGETS, "id": int, "url": str} or None
choice, icon  str
switch        bool
number        int
color         str, "#rrggbb"
moment        str, ISO 8601 with offset, or ""
products      {"by": one of SOURCES, "id": category, "tag": str, "ids": [product], "most": int}
categories    {"by": "all" or "hand", "ids": [category]}
items         list of {field name: value}
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import idna
from django.utils.functional import Promise
from django.utils.translation import gettext as _

Text = str | Promise
Props = dict[str, Any]

TARGETS: Final = (
    "home",
    "all",
    "category",
    "product",
    "page",
    "lookup",
    "help",
    "about",
    "open",
    "url",
)
SOURCES: Final = ("pinned", "hot", "new", "cheap", "category", "tag", "hand")
PRODUCTS_MOST: Final = 40
HAND_MOST: Final = 60
URL_CHARS: Final = 300
COLOR: Final = re.compile(r"#[0-9a-f]{6}")
TEXT_CHARS: Final = 20_000  # of any text, in a draft too


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that can be set. `most`, `least`: characters, entries, or bounds of a number."""

    name: str
    label: Text
    kind: str
    help: Text = ""
    default: Any = None
    is_required: bool = False
    least: int = 0
    most: int = 0
    options: tuple[tuple[str, Text], ...] = ()
    fields: tuple["Field", ...] = ()
    shown_if: tuple[str, tuple[str, ...]] | None = None  # another field and its values
    is_inline: bool = False  # may be typed where it stands on the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a value: at which path of the props, in words."""

    path: str
    message: str
    is_fatal: bool = False


EMPTY: Final[Mapping[str, Any]] = {
    "text": "",
    "lines": "",
    "rich": "",
    "image": None,
    "link": None,
    "choice": "",
    "icon": "",
    "switch": False,
    "number": 0,
    "moment": "",
    "color": "#3b5bfd",
    "items": (),
}


def default_of(field: Field) -> Any:
    """Return what a new section holds in a field."""
    if field.kind == "products":
        return {"by": "hot", "id": 0, "tag": "", "ids": [], "most": 8, **(field.default or {})}
    if field.kind == "categories":
        return {"by": "all", "ids": [], **(field.default or {})}
    if field.kind == "items":
        return [complete(field.fields, item) for item in field.default or ()]
    if field.default is not None:
        return str(field.default) if isinstance(field.default, Promise) else field.default
    if field.kind == "choice":
        return field.options[0][0]
    return EMPTY[field.kind]


def complete(fields: tuple[Field, ...], props: Mapping[str, Any]) -> Props:
    """Return props with every field of the schema, defaults where one is absent; others drop."""
    known = {}
    for field in fields:
        value = props.get(field.name)
        if value is None:
            value = default_of(field)
        elif field.kind == "items" and isinstance(value, list):
            value = [
                complete(field.fields, item) if isinstance(item, Mapping) else item
                for item in value
            ]
        known[field.name] = str(value) if isinstance(value, Promise) else value
    return known


def check_props(
    fields: tuple[Field, ...], props: Mapping[str, Any], *, at: str = ""
) -> Iterator[Problem]:
    """Yield what is wrong with completed props. Fields that are not shown are not missed."""
    for field in fields:
        path = f"{at}{field.name}"
        if field.shown_if is not None and props.get(field.shown_if[0]) not in field.shown_if[1]:
            yield from (p for p in _check(field, props[field.name], path) if p.is_fatal)
        else:
            yield from _check(field, props[field.name], path)


def is_sound(fields: tuple[Field, ...], props: Mapping[str, Any]) -> bool:
    """Tell whether every value of completed props has the shape that a template can draw."""
    return not any(problem.is_fatal for problem in check_props(fields, props))


def _check(field: Field, value: Any, path: str) -> Iterator[Problem]:
    if not _has_shape(field, value):
        yield Problem(path=path, message=_("内容格式不正确。"), is_fatal=True)
        return
    if field.is_required and _is_empty(field, value):
        yield Problem(path=path, message=_("请填写“%(label)s”。") % {"label": field.label})
        return
    if field.kind in _CHECKS:
        yield from _CHECKS[field.kind](field, value, path)


def _has_shape(field: Field, value: Any) -> bool:
    kind = field.kind
    if kind in {"text", "lines", "rich", "moment", "icon"}:
        return isinstance(value, str) and len(value) <= TEXT_CHARS and "\x00" not in value
    if kind == "color":
        return isinstance(value, str) and COLOR.fullmatch(value) is not None
    if kind == "choice":
        return any(value == key for key, _label in field.options)
    if kind == "switch":
        return isinstance(value, bool)
    if kind == "number":
        return type(value) is int and abs(value) < 1 << 31
    if kind == "items":
        return isinstance(value, list) and len(value) <= (field.most or PRODUCTS_MOST)
    if kind in {"image", "link"} and value is None:
        return True
    return isinstance(value, dict) and _SHAPES[kind](value)


def _is_picture(value: Mapping[str, Any]) -> bool:
    return (
        _is_id(value.get("id"))
        and all(type(value.get(axis)) is int and 0 <= value[axis] <= 100 for axis in ("x", "y"))
        and _is_short(value.get("alt"))
        and len(value) == 4
    )


def _is_link(value: Mapping[str, Any]) -> bool:
    return (
        value.get("to") in TARGETS
        and (value.get("id") == 0 or _is_id(value.get("id")))
        and _is_short(value.get("url"))
        and len(value) == 3
    )


def _is_source(value: Mapping[str, Any]) -> bool:
    return (
        value.get("by") in SOURCES
        and (value.get("id") == 0 or _is_id(value.get("id")))
        and _is_short(value.get("tag"))
        and _are_ids(value.get("ids"))
        and type(value.get("most")) is int
        and 1 <= value["most"] <= PRODUCTS_MOST
        and len(value) == 5
    )


def _is_choice_of_categories(value: Mapping[str, Any]) -> bool:
    return value.get("by") in ("all", "hand") and _are_ids(value.get("ids")) and len(value) == 2


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 62


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and len(value) <= HAND_MOST and all(map(_is_id, value))


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= URL_CHARS and "\x00" not in value


_SHAPES: Final = {
    "image": _is_picture,
    "link": _is_link,
    "products": _is_source,
    "categories": _is_choice_of_categories,
}


def _is_empty(field: Field, value: Any) -> bool:
    if field.kind in {"text", "lines", "moment", "icon"}:
        return not value.strip()
    if field.kind == "rich":
        return not value.replace("<p>", "").replace("</p>", "").replace("<br>", "").strip()
    return field.kind in {"image", "link", "items"} and not value


def _check_text(field: Field, value: str, path: str) -> Iterator[Problem]:
    if field.most and len(value) > field.most:
        words = _("“%(label)s”最多 %(most)s 个字，现在有 %(count)s 个。")
        told = {"label": field.label, "most": field.most, "count": len(value)}
        yield Problem(path=path, message=words % told)
    if field.kind == "text" and "\n" in value:
        yield Problem(path=path, message=_("“%(label)s”只能有一行。") % {"label": field.label})


def _check_number(field: Field, value: int, path: str) -> Iterator[Problem]:
    if not field.least <= value <= field.most:
        words = _("“%(label)s”要在 %(least)s 到 %(most)s 之间。")
        told = {"label": field.label, "least": field.least, "most": field.most}
        yield Problem(path=path, message=words % told)


def _check_moment(field: Field, value: str, path: str) -> Iterator[Problem]:
    if value and parse_moment(value) is None:
        yield Problem(path=path, message=_("“%(label)s”不是有效的时间。") % {"label": field.label})


def _check_link(_field: Field, value: Props | None, path: str) -> Iterator[Problem]:
    if value is None:
        return
    if value["to"] in {"category", "product", "page"} and not value["id"]:
        yield Problem(path=path, message=_("请选择链接要打开的内容。"))
    if value["to"] == "url" and not is_safe_url(value["url"]):
        yield Problem(path=path, message=_("链接要以 https:// 开头，或是本店的地址（以 / 开头）。"))


def _check_products(_field: Field, value: Props, path: str) -> Iterator[Problem]:
    if value["by"] == "category" and not value["id"]:
        yield Problem(path=path, message=_("请选择商品分类。"))
    if value["by"] == "tag" and not value["tag"].strip():
        yield Problem(path=path, message=_("请填写商品标签。"))
    if value["by"] == "hand" and not value["ids"]:
        yield Problem(path=path, message=_("请至少选择一件商品。"))


def _check_categories(_field: Field, value: Props, path: str) -> Iterator[Problem]:
    if value["by"] == "hand" and not value["ids"]:
        yield Problem(path=path, message=_("请至少选择一个分类。"))


def _check_items(field: Field, value: list[Any], path: str) -> Iterator[Problem]:
    if len(value) < field.least:
        words = _("“%(label)s”至少要有 %(least)s 项。")
        yield Problem(path=path, message=words % {"label": field.label, "least": field.least})
    for number, item in enumerate(value):
        if isinstance(item, dict):
            yield from check_props(field.fields, item, at=f"{path}.{number}.")
        else:
            message = _("内容格式不正确。")
            yield Problem(path=f"{path}.{number}", message=message, is_fatal=True)


_CHECKS: Final[dict[str, Callable[[Field, Any, str], Iterator[Problem]]]] = {
    "text": _check_text,
    "lines": _check_text,
    "rich": _check_text,
    "number": _check_number,
    "moment": _check_moment,
    "link": _check_link,
    "products": _check_products,
    "categories": _check_categories,
    "items": _check_items,
}


def parse_moment(text: str) -> datetime | None:
    """Return the aware time of an ISO 8601 text, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def is_safe_url(text: str) -> bool:
    """Tell whether a link may lead there: the web over TLS, or a path of this shop.

    A name before an @ (https://a-bank@elsewhere) and signs that turn or hide others are refused:
    who reads the address must see where it leads.
    """
    if "\\" in text or any(unicodedata.category(char)[0] in "CZ" for char in text):
        return False
    if text.startswith("/"):
        return not text.startswith("//")
    return find_plain_url(text) is not None


def find_plain_url(text: str) -> str | None:
    """Return an address of the web with its host in ASCII (xn--…), so that none looks like another.

    None for what is no such address.
    """
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
        host, place = parts.hostname or "", parts.netloc
        if not place.isascii():
            place = idna.encode(host, uts46=True).decode() + port
    except (ValueError, UnicodeError):  # idna.IDNAError is one of the latter
        return None
    if parts.scheme != "https" or not host or "@" in parts.netloc:
        return None
    return urlunsplit(parts._replace(netloc=place))


def field_json(field: Field) -> dict[str, Any]:
    """Return a field as the editor reads it."""
    return {
        "name": field.name,
        "label": str(field.label),
        "kind": field.kind,
        "help": str(field.help),
        "default": default_of(field),
        "required": field.is_required,
        "least": field.least,
        "most": field.most,
        "options": [[key, str(label)] for key, label in field.options],
        "fields": [field_json(each) for each in field.fields],
        "shown_if": field.shown_if and [field.shown_if[0], list(field.shown_if[1])],
        "inline": field.is_inline,
    }
