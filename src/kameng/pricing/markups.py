"""What a site adds to what it pays: wholesale plans, mark-up rules and tidy endings.

Owns the choice of the rule that counts (the most specific one) and the order in which a price is
formed: mark-up, floor, ending, cap. Promises that a price never lies under its floor, that a tidy
ending never takes from the margin, and that the order in which rules are given does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from kameng.pricing.money import (
    FEN,
    MAX_RATE_BPS,
    SCALE,
    ZERO,
    Amount,
    Rounding,
    apply_bps,
    check_amount,
)
from kameng.pricing.trace import TraceStep


class RuleInvalid(ValueError):
    """A rule or plan whose figures make no sense; `code` names the field that is wrong."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MarkupKind(StrEnum):
    """How a rule forms the price from what the site pays."""

    RATE = "rate"
    AMOUNT = "amount"
    FIXED = "fixed"


class RuleScope(IntEnum):
    """How much a rule covers; the higher number is the more specific and wins."""

    PLATFORM = 0
    SITE = 1
    CATEGORY = 2
    PRODUCT = 3
    VARIANT = 4


class Ending(StrEnum):
    """The tidy ending that a price is raised to."""

    NONE = "none"
    FEN = "fen"
    JIAO = "jiao"
    YUAN = "yuan"
    END_8 = "end_8"
    END_9 = "end_9"
    END_88 = "end_88"
    END_99 = "end_99"


_GRID: Final[dict[Ending, tuple[int, int]]] = {
    Ending.FEN: (FEN, 0),
    Ending.JIAO: (SCALE // 10, 0),
    Ending.YUAN: (SCALE, 0),
    Ending.END_8: (SCALE, 8 * SCALE // 10),
    Ending.END_9: (SCALE, 9 * SCALE // 10),
    Ending.END_88: (SCALE, 88 * SCALE // 100),
    Ending.END_99: (SCALE, 99 * SCALE // 100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WholesalePlan:
    """What a sub-site pays the main site: cost and a rate, yet no less than a least margin."""

    markup_bps: int
    minimum_margin_amount: Amount = ZERO

    def __post_init__(self) -> None:
        _check_rate(self.markup_bps, code="markup_bps")
        _check_sum(self.minimum_margin_amount, code="minimum_margin_amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupRule:
    """One mark-up rule of a site; `depth` is the depth of its category, the deeper one wins."""

    rule_id: int
    scope: RuleScope
    kind: MarkupKind
    rate_bps: int = 0
    amount: Amount = ZERO
    ending: Ending = Ending.FEN
    cap_bps: int | None = None
    depth: int = 0

    def __post_init__(self) -> None:
        _check_rate(self.rate_bps, code="rate_bps")
        _check_sum(self.amount, code="amount")
        if self.cap_bps is not None:
            _check_rate(self.cap_bps, code="cap_bps")
        if self.kind is MarkupKind.FIXED and self.amount == 0:
            raise RuleInvalid("amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBasis:
    """What a price is formed from: what the site pays (its floor) and the list price."""

    floor_amount: Amount
    list_amount: Amount


def choose_rule(rules: Iterable[MarkupRule]) -> MarkupRule | None:
    """Return the most specific rule; among equals the deeper category, then the newest rule."""
    return max(rules, key=lambda rule: (rule.scope, rule.depth, rule.rule_id), default=None)


def form_price(basis: PriceBasis, *, rule: MarkupRule | None) -> tuple[TraceStep, ...]:
    """Return the steps from what the site pays to its price: mark-up, floor, ending, cap."""
    first = _mark_up(basis, rule=rule)
    steps = [first]
    if first.after_amount < basis.floor_amount:
        _append(steps, "floor", after=basis.floor_amount, floor_amount=basis.floor_amount)
    ending = _ending_for(basis, rule=rule)
    tidy = raise_to_ending(steps[-1].after_amount, ending=ending)
    if tidy != steps[-1].after_amount:
        _append(steps, "ending", after=tidy, ending=ending.value)
    if rule is not None and rule.cap_bps is not None and basis.list_amount > 0:
        _apply_cap(steps, basis=basis, cap_bps=rule.cap_bps, ending=ending)
    return tuple(steps)


def raise_to_ending(amount: Amount, *, ending: Ending) -> Amount:
    """Return the least amount with the ending that is not under the given one."""
    if ending is Ending.NONE:
        return amount
    step, offset = _GRID[ending]
    return check_amount(amount + (offset - amount) % step)


def lower_to_ending(amount: Amount, *, ending: Ending) -> Amount | None:
    """Return the greatest amount with the ending that is not over the given one, if any."""
    if ending is Ending.NONE:
        return amount
    step, offset = _GRID[ending]
    lowered = amount - (amount - offset) % step
    return Amount(lowered) if lowered >= 0 else None


def _mark_up(basis: PriceBasis, *, rule: MarkupRule | None) -> TraceStep:
    before = basis.floor_amount
    if rule is None:
        params: dict[str, int | str] = {"list_amount": basis.list_amount}
        return TraceStep(
            code="list_price", params=params, before_amount=before, after_amount=basis.list_amount
        )
    params = {"rule_id": rule.rule_id, "scope": rule.scope.name.lower()}
    if rule.kind is MarkupKind.RATE:
        after = check_amount(
            before + apply_bps(before, rate_bps=rule.rate_bps, rounding=Rounding.UP)
        )
        params["rate_bps"] = rule.rate_bps
    elif rule.kind is MarkupKind.AMOUNT:
        after = check_amount(before + rule.amount)
        params["amount"] = rule.amount
    else:
        after = rule.amount
        params["amount"] = rule.amount
    return TraceStep(
        code=f"markup_{rule.kind.value}", params=params, before_amount=before, after_amount=after
    )


def _ending_for(basis: PriceBasis, *, rule: MarkupRule | None) -> Ending:
    # Goods listed below a fen are sold by the ten thousand: an ending would multiply their price.
    if basis.list_amount % FEN:
        return Ending.NONE
    # A fixed price is already the figure that the operator wants to see.
    if rule is None or rule.kind is MarkupKind.FIXED:
        return Ending.FEN
    return rule.ending


def _apply_cap(steps: list[TraceStep], *, basis: PriceBasis, cap_bps: int, ending: Ending) -> None:
    cap = apply_bps(basis.list_amount, rate_bps=cap_bps, rounding=Rounding.DOWN)
    price = steps[-1].after_amount
    if price <= cap:
        return
    if cap < basis.floor_amount:
        whole = Ending.NONE if ending is Ending.NONE else Ending.FEN
        floor = raise_to_ending(basis.floor_amount, ending=whole)
        _append(steps, "cap_below_floor", after=floor, cap_amount=cap, floor_amount=floor)
        return
    lowered = (lower_to_ending(cap, ending=each) for each in (ending, Ending.FEN))
    fitting = [each for each in lowered if each is not None and each >= basis.floor_amount]
    keeps_parts = ending is Ending.NONE or not fitting
    after = cap if keeps_parts else fitting[0]
    _append(steps, "cap", after=after, cap_bps=cap_bps, cap_amount=cap)


def _append(steps: list[TraceStep], code: str, *, after: Amount, **params: int | str) -> None:
    steps.append(
        TraceStep(
            code=code, params=params, before_amount=steps[-1].after_amount, after_amount=after
        )
    )


def _check_rate(rate_bps: int, *, code: str) -> None:
    if not 0 <= rate_bps <= MAX_RATE_BPS:
        raise RuleInvalid(code)


def _check_sum(amount: Amount, *, code: str) -> None:
    try:
        check_amount(amount)
    except ValueError as error:
        raise RuleInvalid(code) from error
