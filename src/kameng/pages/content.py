"""The shape of a page's content, its checks, and how older contents are brought up to date.

    {"root": {name: value}, "sections": [{"id", "type", "version", "props", "hidden"?}]}

Pure. A section of an unknown type, or of a newer version than this program knows, is kept verbatim
and drawn as nothing: a page made by a newer program survives an older one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from kameng.pages.fields import Problem, Props, check_props, complete
from kameng.pages.looks import LOOK_FIELDS
from kameng.pages.models import PageKind
from kameng.pages.registry import Section, find_section
from kameng.pages.sanitising import clean_rich

SECTIONS_MOST: Final = 60
CONTENT_BYTES: Final = 200_000
ID: Final = re.compile(r"[a-z0-9]{4,24}")
Content = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a content: in which section (empty: the page itself), at which field."""

    section_id: str
    section_name: str
    path: str
    message: str
    is_fatal: bool


def empty_content() -> Content:
    """Return a content with nothing in it."""
    return {"root": {}, "sections": []}


def root_fields(kind: int) -> tuple[Any, ...]:
    """Return the fields that a page of a kind has beside its sections."""
    return LOOK_FIELDS if kind == PageKind.LOOK else ()


def tidy(content: Mapping[str, Any], *, kind: int) -> Content:
    """Return a content with every field present, texts cleaned, sections at today's version.

    Raises `ValueError` when it has not the shape of a content at all.
    """
    if not isinstance(content, Mapping) or set(content) != {"root", "sections"}:
        raise ValueError("not a content")
    root, sections = content["root"], content["sections"]
    if not isinstance(root, Mapping) or not isinstance(sections, list):
        raise ValueError("not a content")
    if len(sections) > SECTIONS_MOST:
        raise ValueError("too many sections")
    tidied: Content = {
        "root": clean_rich(root_fields(kind), complete(root_fields(kind), root)),
        "sections": [_tidy_section(section) for section in sections],
    }
    ids = [section["id"] for section in tidied["sections"]]
    if len(set(ids)) != len(ids):
        raise ValueError("two sections with one id")
    if len(json.dumps(tidied, ensure_ascii=False).encode()) > CONTENT_BYTES:
        raise ValueError("too large")
    return tidied


def _tidy_section(section: Any) -> Props:
    if not isinstance(section, Mapping):
        raise ValueError("not a section")
    kind, version, props = section.get("type"), section.get("version"), section.get("props")
    if not isinstance(section.get("id"), str) or not ID.fullmatch(section["id"]):
        raise ValueError("a section without id")
    if not isinstance(kind, str) or len(kind) > 40 or type(version) is not int:
        raise ValueError("a section without type")
    if not isinstance(props, Mapping):
        raise ValueError("a section without props")
    known = find_section(kind)
    if known is None or version > known.version:
        return dict(section)
    if version < known.version:
        props = known.upgrade(dict(props), version)
    return {
        "id": section["id"],
        "type": kind,
        "version": known.version,
        "hidden": section.get("hidden") is True,
        "props": clean_rich(known.all_fields, complete(known.all_fields, props)),
    }


def check_content(content: Content, *, kind: int) -> Iterator[Fault]:
    """Yield what keeps a tidied content from being published, with the section and field named."""
    for problem in check_props(root_fields(kind), content["root"]):
        yield _fault("", str(_("页面")), problem)
    counts: dict[str, int] = {}
    for section in content["sections"]:
        known = find_section(section["type"])
        if known is None or section["version"] > known.version:
            continue
        counts[known.type] = counts.get(known.type, 0) + 1
        yield from _check_section(section, known, kind=kind, count=counts[known.type])


def _check_section(section: Props, known: Section, *, kind: int, count: int) -> Iterator[Fault]:
    name = str(known.name)
    if not known.stands_on(kind):
        problem = Problem(path="", message=_("这种区块不能放在这个页面上。"))
        yield _fault(section["id"], name, problem)
    if known.is_single and count > 1:
        problem = Problem(path="", message=_("这种区块一个页面只能有一个。"))
        yield _fault(section["id"], name, problem)
    for problem in check_props(known.all_fields, section["props"]):
        yield _fault(section["id"], name, problem)


def _fault(section_id: str, name: str, problem: Problem) -> Fault:
    return Fault(
        section_id=section_id,
        section_name=name,
        path=problem.path,
        message=problem.message,
        is_fatal=problem.is_fatal,
    )
