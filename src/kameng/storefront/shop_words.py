"""Which field of the form of a new shop a refusal belongs to."""

from dataclasses import dataclass
from typing import Final

from kameng.core.errors import Refusal

FIELDS: Final = {
    "slug_taken": "slug",
    "slug_invalid": "slug",
    "host_taken": "slug",
    "nickname_invalid": "name",
    "staff_login_taken": "login",
    "staff_login_invalid": "login",
    "contact_invalid": "login",
    "consent_missing": "agree",
    "pay_missing": "pay",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and at which field; an empty one stands above the form."""

    field: str = ""
    text: str = ""


def say_problem(refusal: Refusal | None) -> Problem:
    """Return a refusal as the form shows it."""
    if refusal is None:
        return Problem()
    field = "password" if refusal.code.startswith("password") else FIELDS.get(refusal.code, "")
    return Problem(field=field, text=refusal.text())
