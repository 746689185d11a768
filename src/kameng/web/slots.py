"""What a product asks its buyer for, as its page and the checkout show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from kameng.catalog.inputs import InputField, InputKind, clean_answer
from kameng.core.errors import Refusal
from kameng.web.patterns import for_browser

FIELD_PREFIX: Final = "field_"
PATTERNS: Final[Mapping[InputKind, tuple[str, str]]] = {
    InputKind.NUMBER: ("numeric", "[0-9]{1,20}"),
    InputKind.PHONE: ("tel", "1[3-9][0-9]{9}"),
    InputKind.EMAIL: ("email", r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,24}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One thing to fill in for a product, as a page shows it."""

    field: InputField
    name: str
    value: str
    error: str = ""

    @property
    def input_mode(self) -> str:
        """The keyboard that a phone offers."""
        return PATTERNS.get(self.field.kind, ("", ""))[0]

    @property
    def pattern(self) -> str:
        """The pattern that the browser checks before the server does."""
        told = PATTERNS.get(self.field.kind)
        return told[1] if told else for_browser(self.field.pattern)

    @property
    def message(self) -> str:
        """What the browser says when the pattern does not fit."""
        return _("“%(label)s”填写不正确，请检查。") % {"label": self.field.label}


def make_slots(
    fields: Sequence[InputField], answers: Mapping[str, str], *, is_checked: bool
) -> list[Slot]:
    """Return the fields of a product with what was typed and, when checked, what is wrong."""
    slots = []
    for field in fields:
        value = answers.get(field.name, "")
        error = ""
        if is_checked:
            try:
                clean_answer(field, value)
            except Refusal as refusal:
                error = refusal.text()
        slots.append(Slot(field=field, name=FIELD_PREFIX + field.name, value=value, error=error))
    return slots
