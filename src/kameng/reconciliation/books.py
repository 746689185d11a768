"""What our books say of a gateway's days: the list of functions that are compared with bills.

A function of a lower app, in its own SQL, called as
`(p_gateway bigint, p_from timestamptz, p_until timestamptz, p_numbers text[])`: it returns what was
booked at that gateway in that time, and whatever carries one of the numbers (ours or the gateway's)
at any time, each thing once. Its row: (kind text, own_no text, external_no text, amount bigint,
fee_amount bigint, state text, is_done boolean, happened_at timestamptz, site_id bigint). `kind` is
a word of `abilities.LineKind`, `is_done` says that money moved.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One function and the kinds of lines that it answers for.

    `is_exported`: bills that people export tell these kinds too. Of the others such a bill is
    silent, so that nothing is missing on it.
    """

    function: str
    kinds: tuple[str, ...]
    is_exported: bool


BOOKS: Final[tuple[Book, ...]] = (
    Book(function="payments_booked", kinds=("payment", "refund"), is_exported=True),
    Book(
        function="settlement_booked",
        kinds=("split", "split_return", "payout", "payout_return"),
        is_exported=False,
    ),
)


def compared_kinds() -> list[str]:
    """Return the kinds of lines that are compared with something."""
    return [kind for book in BOOKS for kind in book.kinds]


def told_kinds(*, is_fetched: bool) -> list[str]:
    """Return the kinds of which a bill must tell everything that was booked."""
    return [kind for book in BOOKS if is_fetched or book.is_exported for kind in book.kinds]
