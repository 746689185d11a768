"""What of an import of a sub-site may be on sale: within its plan, and nothing that is refused.

Promises that the dry run and the run decide alike, row by row: what the plan has no room for and
what names refused goods comes in unlisted and says so; goods on sale get no refused name.
"""

from collections.abc import Iterable
from dataclasses import replace

from kameng.catalog.adopting import Adopted
from kameng.catalog.refused_words import RefusedWord, find_refused_word
from kameng.catalog.services.adoption import Change
from kameng.catalog.services.own_goods import MOST_STORED, Maker, count_places
from kameng.core.problems import Problem


class Admission:
    """The places that are left, lowered row by row. Locked for a step that stores."""

    def __init__(self, maker: Maker, *, is_locked: bool) -> None:
        self._is_limited = maker.limits is not None
        places = count_places(maker, is_locked=is_locked)
        self._room, self._left = places.stored_left, places.listed_left

    def admit(self, change: Change) -> Change:
        """Return the change as it may be done."""
        if not self._is_limited or not change.is_written:
            return change
        adopted = change.adopted
        refused = find_refused_word(_texts(adopted))
        if change.action == "update":
            if refused is None:
                return change
            return replace(change, action="skip", problem=_refusal(refused))
        if self._room == 0:
            problem = Problem(code="own_goods_too_many", params={"most": MOST_STORED})
            return replace(change, action="skip", problem=problem)
        if self._room is not None:
            self._room -= 1
        if not adopted.is_listed:
            return change
        if refused is not None:
            return _unlisted(change, _refusal(refused))
        if self._left == 0:
            return _unlisted(change, Problem(code="own_goods_full"))
        if self._left is not None:
            self._left -= 1
        return change


def _unlisted(change: Change, problem: Problem) -> Change:
    adopted = change.adopted
    warnings = (*adopted.warnings, problem)
    return replace(change, adopted=replace(adopted, is_listed=False, warnings=warnings))


def _refusal(found: RefusedWord) -> Problem:
    return Problem(code="word_refused", params={"word": found.word, "group": found.group})


def _texts(adopted: Adopted) -> Iterable[str]:
    product = adopted.product
    return (product.title, product.brand, product.description, adopted.variant.name)
