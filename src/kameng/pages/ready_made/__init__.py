"""Ready-made designs for one-click decoration: complete looks and pages, a module each.

A module holds `DESIGN`. Its words are translatable and become the operator's own when applied. It
names no goods and no categories of a shop by id: its sections choose by rule, so that it fits any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from kameng.pages.content import Content, tidy
from kameng.pages.errors import TemplateNotFound
from kameng.pages.fields import Text
from kameng.pages.models import PageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section of a design: its type and what differs from that type's defaults."""

    type: str
    props: Mapping[str, Any]


def part(section_type: str, **props: Any) -> Part:
    """Return a part of a design."""
    return Part(type=section_type, props=props)


def goods(by: str, most: int = 8, tag: str = "") -> dict[str, Any]:
    """Return a source of goods by rule."""
    return {"by": by, "id": 0, "tag": tag, "ids": [], "most": most}


def to(target: str) -> dict[str, Any]:
    """Return a link to a page that every shop has."""
    return {"to": target, "id": 0, "url": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A complete design: look, home page, and what stands around the lists of goods."""

    key: str
    name: Text
    hint: Text  # whom it suits, one sentence
    tags: Sequence[Text]
    look: Mapping[str, Any]
    footer: Part
    home: Sequence[Part]
    category: Sequence[Part] = ()
    product: Sequence[Part] = ()
    about: Sequence[Part] = ()

    def contents(self) -> dict[int, Content]:
        """Return the contents of its pages by kind, in the language in force."""
        pages = {
            PageKind.HOME: self.home,
            PageKind.CATEGORY: self.category,
            PageKind.PRODUCT: self.product,
            PageKind.ABOUT: self.about,
        }
        made = {
            int(kind): tidy({"root": {}, "sections": _sections(parts)}, kind=kind)
            for kind, parts in pages.items()
            if parts
        }
        look = {"root": dict(self.look), "sections": _sections((self.footer,))}
        return {int(PageKind.LOOK): tidy(look, kind=PageKind.LOOK), **made}


def _sections(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{each.type.replace('_', '')[:16]}{number:02d}",
            "type": each.type,
            "version": 1,
            "props": _plain(each.props),
        }
        for number, each in enumerate(parts)
    ]


def _plain(value: Any) -> Any:
    """Return a value with its translatable words in the language in force."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)


KEYS: Final = (
    "shore",
    "starry",
    "hongfu",
    "mint",
    "paper",
    "salon",
    "corner",
    "terminal",
    "gazette",
    "candy",
    "depot",
    "bazaar",
    "grove",
    "pixel",
)


@cache
def all_designs() -> Mapping[str, Design]:
    """Return the designs by key, in the order of the gallery."""
    designs = (import_module(f"kameng.pages.ready_made.{key}").DESIGN for key in KEYS)
    return {design.key: design for design in designs}


def get_ready_made(key: str) -> Design:
    """Return one design; raise `TemplateNotFound`."""
    design = all_designs().get(key)
    if design is None:
        raise TemplateNotFound
    return design
