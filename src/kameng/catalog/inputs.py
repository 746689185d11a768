"""What a buyer fills in for a product: account, region and the like.

Owns the meaning of a product's input fields and the check of the answers. Promises that what goes
into an order is clean text of a known field (numbers, phones and e-mails folded to their plain
forms, free text as it was typed), and that no pattern of an operator can make a check run long:
patterns have no groups, no alternatives and at most three repetitions.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from kameng.catalog.errors import InputInvalid, InputMissing, InputUnknown

MAX_FIELDS: Final = 10
MAX_ANSWER_CHARS: Final = 200
MAX_NUMBER_DIGITS: Final = 20
MAX_PATTERN_CHARS: Final = 80
_MAX_REPETITIONS: Final = 3
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,29}")
_PHONE: Final = re.compile(r"1[3-9]\d{9}", re.ASCII)
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}", re.ASCII
)
_ESCAPED_OR_CLASS: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])+\]")


class InputKind(StrEnum):
    """What kind of text an answer is."""

    TEXT = "text"
    NUMBER = "number"
    PHONE = "phone"
    EMAIL = "email"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One thing to fill in; `pattern` applies to text, `choices` to a choice."""

    name: str
    label: str
    kind: InputKind = InputKind.TEXT
    is_required: bool = True
    pattern: str = ""
    choices: tuple[str, ...] = ()
    help_text: str = ""


def load_fields(stored: Sequence[Mapping[str, Any]]) -> tuple[InputField, ...]:
    """Return the fields of what is stored with a product."""
    return tuple(
        InputField(
            name=str(row["name"]),
            label=str(row["label"]),
            kind=InputKind(row.get("kind", "text")),
            is_required=bool(row.get("required", True)),
            pattern=str(row.get("pattern", "")),
            choices=tuple(map(str, row.get("choices", ()))),
            help_text=str(row.get("help", "")),
        )
        for row in stored
    )


def dump_fields(fields: Sequence[InputField]) -> list[dict[str, object]]:
    """Return the fields as they are stored."""
    return [
        {
            "name": field.name,
            "label": field.label,
            "kind": field.kind.value,
            "required": field.is_required,
            "pattern": field.pattern,
            "choices": list(field.choices),
            "help": field.help_text,
        }
        for field in fields
    ]


def clean_answers(fields: Sequence[InputField], answers: Mapping[str, str]) -> dict[str, str]:
    """Return the cleaned answers by name; raise `InputMissing`, `InputInvalid`, `InputUnknown`."""
    if set(answers) - {field.name for field in fields}:
        raise InputUnknown
    cleaned = {}
    for field in fields:
        text = clean_answer(field, answers.get(field.name, ""))
        if text:
            cleaned[field.name] = text
    return cleaned


def clean_answer(field: InputField, raw: str) -> str:
    """Return one cleaned answer, empty when nothing is asked for; raise as `clean_answers`."""
    text = raw.strip() if isinstance(raw, str) else "\x00"
    if not text:
        if field.is_required:
            raise InputMissing(label=field.label)
        return ""
    for form in _forms(field, text):
        if len(form) <= MAX_ANSWER_CHARS and _is_clean(form) and _fits(field, form):
            return form
    raise InputInvalid(label=field.label)


def is_safe_pattern(pattern: str) -> bool:
    """Tell whether a pattern may be used: short, no groups or alternatives, few repetitions."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return False
    bare = _ESCAPED_OR_CLASS.sub("x", pattern)
    if re.search(r"[()|\[\]\\]", bare) or len(re.findall(r"[*+?{]", bare)) > _MAX_REPETITIONS:
        return False
    if re.search(r"\\[1-9]", pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        return False
    return True


def is_field_name(name: str) -> bool:
    """Tell whether a text may name a field in forms and stored answers."""
    return _NAME.fullmatch(name) is not None


def _forms(field: InputField, text: str) -> tuple[str, ...]:
    """Return the forms in which an answer may be taken, the first that fits first.

    A text that must follow a pattern is a number more often than not: full-width digits will do.
    """
    if field.kind is InputKind.CHOICE or (field.kind is InputKind.TEXT and not field.pattern):
        return (text,)
    folded = unicodedata.normalize("NFKC", text).strip()
    return (text, folded) if field.kind is InputKind.TEXT else (folded,)


def _is_clean(text: str) -> bool:
    """Tell whether a text has nothing in it that cannot be seen; spaces of any width can."""
    return all(sign.isprintable() or unicodedata.category(sign) == "Zs" for sign in text)


def _fits(field: InputField, text: str) -> bool:
    if field.kind is InputKind.CHOICE:
        return text in field.choices
    if field.kind is InputKind.NUMBER:
        return text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_DIGITS
    if field.kind is InputKind.PHONE:
        return _PHONE.fullmatch(text) is not None
    if field.kind is InputKind.EMAIL:
        return _EMAIL.fullmatch(text) is not None
    return not field.pattern or _compiled(field.pattern).fullmatch(text) is not None


@lru_cache(maxsize=500)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
