"""What differs between two contents, section by section. Pure."""

from dataclasses import dataclass
from typing import Final

from kameng.pages.content import Content
from kameng.pages.registry import find_section

ADDED, REMOVED, CHANGED, MOVED = "added", "removed", "changed", "moved"
ROOT: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: which section (empty: the page itself), of what kind, in which fields."""

    section_id: str
    section_name: str
    kind: str
    fields: tuple[str, ...] = ()


def compare(before: Content, after: Content) -> list[Change]:
    """Return how `after` differs from `before`: sections by id, fields by their labels."""
    changes = []
    names = [name for name in after["root"] if before["root"].get(name) != after["root"][name]]
    if names:
        changes.append(Change(section_id=ROOT, section_name="", kind=CHANGED, fields=tuple(names)))
    old = {section["id"]: section for section in before["sections"]}
    new = {section["id"]: section for section in after["sections"]}
    for section_id, section in new.items():
        if section_id not in old:
            changes.append(_change(section, ADDED))
        elif fields := _differing(old[section_id], section):
            changes.append(_change(section, CHANGED, fields))
    changes += [_change(old[each], REMOVED) for each in old if each not in new]
    kept_before = [each for each in old if each in new]
    kept_after = [each for each in new if each in old]
    moved = [b for a, b in zip(kept_before, kept_after, strict=True) if a != b]
    known = {change.section_id for change in changes}
    changes += [_change(new[each], MOVED) for each in moved if each not in known]
    return changes


def _differing(old: dict[str, object], new: dict[str, object]) -> tuple[str, ...]:
    section = find_section(str(new["type"]))
    if section is None or not isinstance(old["props"], dict) or not isinstance(new["props"], dict):
        return ("",) if old != new else ()
    fields = [
        str(field.label)
        for field in section.all_fields
        if old["props"].get(field.name) != new["props"].get(field.name)
    ]
    if bool(old.get("hidden")) != bool(new.get("hidden")):
        fields.append("")
    return tuple(fields)


def _change(section: dict[str, object], kind: str, fields: tuple[str, ...] = ()) -> Change:
    known = find_section(str(section["type"]))
    name = str(known.name) if known else str(section["type"])
    return Change(section_id=str(section["id"]), section_name=name, kind=kind, fields=fields)
