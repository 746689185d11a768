"""The filters in force above a list, each with the address of the list without it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.days import Days

PLACES = ("before", "page")  # where one stands in a list, which another list does not share


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One filter in words."""

    name: Any
    value: Any
    url: str


def list_chips(query: QueryDict, named: Iterable[tuple[str, Any, Any]]) -> list[Chip]:
    """Return a chip for each (parameter, name, value) whose value is not empty."""
    return [
        Chip(name=name, value=value, url=f"?{_without(query, parameter)}")
        for parameter, name, value in named
        if value
    ]


def name_days(days: Days) -> list[tuple[str, Any, Any]]:
    """Return the two ends of a range of days for `list_chips`."""
    return [("from", _("从"), days.day_from), ("until", _("到"), days.day_until)]


def _without(query: QueryDict, parameter: str) -> str:
    others = query.copy()
    for name in (parameter, *PLACES):
        others.pop(name, None)
    return others.urlencode()
