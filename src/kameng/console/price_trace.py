"""A price as rows that a person reads from top to bottom: what it starts from, each step, the end.

Promises that the way to what a site pays is one row: an operator sees what the site pays, never how
that came about. A sub-site sees its own wholesale price, a child what its upline asks; a sub-site
that looks at its child sees from its own wholesale price down, the main site from the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext

from kameng.pricing.money import Amount, format_yuan
from kameng.pricing.quote import UnitQuote
from kameng.pricing.trace import (
    MAIN_STEPS,
    UPLINE_STEPS,
    TraceStep,
    explain_step,
    format_rate,
    steps_below,
)
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One row: what was done, by how much the price moved, where it stands now."""

    text: str
    change_amount: int
    after_amount: int
    is_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTrace:
    """The rows of one price and what the site earns on a piece."""

    rows: tuple[TraceRow, ...]
    price_amount: int
    floor_amount: int
    own_cost_amount: int = 0  # of a sub-site's own goods, which cost it more than the share

    @property
    def margin_amount(self) -> int:
        """What the site earns before any fee."""
        return self.price_amount - self.floor_amount - self.own_cost_amount


def trace_unit(unit: UnitQuote, *, shows_cost: bool, is_child: bool = False) -> PriceTrace:
    """Explain the price of a piece; `shows_cost` opens the way from the cost to what is paid."""
    if shows_cost:
        rows = [_row(step) for step in unit.trace]
    else:
        below = steps_below(unit.trace, hidden=MAIN_STEPS | UPLINE_STEPS)
        rows = [start_row(unit.wholesale_amount, is_child=is_child), *map(_row, below)]
    return PriceTrace(
        rows=tuple(rows), price_amount=unit.price_amount, floor_amount=unit.wholesale_amount
    )


def trace_goods(
    unit: UnitQuote, *, site: SiteView, is_own: bool, sees_all: bool = False
) -> PriceTrace:
    """Explain the price of a piece as the reader may see it on a site.

    `sees_all` opens the way from the main site's cost; an operator's own goods tell what it gets.
    """
    if not is_own or site.is_main:
        return trace_unit(unit, shows_cost=is_own or sees_all, is_child=site.is_child)
    rows = [_row(step) for step in unit.trace if step.code == "own_price"]
    rows = [replace(row, is_start=True) for row in rows]
    share = next(step for step in unit.trace if step.code == "platform_share")
    rows.append(
        TraceRow(
            text=explain_step(share, translate=gettext),
            change_amount=-unit.wholesale_amount,
            after_amount=unit.margin_amount,
        )
    )
    return PriceTrace(
        rows=tuple(rows),
        price_amount=unit.price_amount,
        floor_amount=unit.wholesale_amount,
        own_cost_amount=unit.cost_amount,
    )


def trace_child(unit: UnitQuote) -> PriceTrace:
    """Explain the price of a child's piece to its upline: from what that one pays itself."""
    own = unit.wholesale_amount - unit.upline_amount
    below = steps_below(unit.trace, hidden=MAIN_STEPS)
    return PriceTrace(
        rows=(start_row(own), *(replace(_row(step), text=_own_words(step)) for step in below)),
        price_amount=unit.price_amount,
        floor_amount=unit.wholesale_amount,
    )


def _own_words(step: TraceStep) -> str:
    """Return a step in words for the upline, who is meant by "the upline"."""
    if step.code == "upline_rate":
        return gettext("您加 %(rate)s") % {"rate": format_rate(int(step.params["rate_bps"]))}
    if step.code == "upline_minimum":
        least = format_yuan(Amount(int(step.params["margin_amount"])))
        return gettext("您每件至少赚 %(amount)s 元") % {"amount": least}
    return explain_step(step, translate=gettext)


def trace_steps(steps: Sequence[TraceStep], *, floor_amount: int, site: SiteView) -> PriceTrace:
    """Explain the steps of `pricing.markups.form_price` from the floor on."""
    start = start_row(floor_amount, is_main=site.is_main, is_child=site.is_child)
    rows = (start, *map(_row, steps))
    after = steps[-1].after_amount if steps else floor_amount
    return PriceTrace(rows=rows, price_amount=after, floor_amount=floor_amount)


def start_row(floor_amount: int, *, is_main: bool = False, is_child: bool = False) -> TraceRow:
    """Return the first row: what the site pays for a piece, and to whom."""
    text = gettext("上级供货价") if is_child else gettext("主站供货价")
    if is_main:
        text = gettext("成本价")
    return TraceRow(text=text, change_amount=0, after_amount=floor_amount, is_start=True)


def _row(step: TraceStep) -> TraceRow:
    return TraceRow(
        text=explain_step(step, translate=gettext),
        change_amount=step.after_amount - step.before_amount,
        after_amount=step.after_amount,
        is_start=step.code == "cost",
    )
