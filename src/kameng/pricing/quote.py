"""The price of one piece and of an order, with the steps that led to it.

Owns the one way in which checkout, product page, console preview and docking form a price, and the
one call that rounds what a buyer pays to the fen. Promises that no order is sold under what the
selling site pays for it, and that the order of its lines does not change its sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kameng.pricing.margins import (
    NO_FEE,
    FeeBearer,
    FeeTerms,
    SaleParts,
    fee_of,
    split_sale,
    surcharge_of,
)
from kameng.pricing.markups import (
    MarkupRule,
    PriceBasis,
    WholesalePlan,
    choose_rule,
    form_price,
)
from kameng.pricing.money import (
    ZERO,
    Amount,
    MoneyInvalid,
    Rounding,
    apply_bps,
    check_amount,
    multiply,
    round_to_fen,
)
from kameng.pricing.trace import TraceStep


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitQuote:
    """The price of one piece.

    `wholesale_amount` is what the selling site pays for it and the floor of its price: the plan's
    price on a sub-site, the cost on the main site, and on a child what its upline asks, of which
    `upline_amount` is the upline's and the rest the main site's.
    """

    price_amount: Amount
    wholesale_amount: Amount
    cost_amount: Amount
    list_amount: Amount
    rule_id: int | None
    trace: tuple[TraceStep, ...]
    upline_amount: Amount = ZERO

    @property
    def margin_amount(self) -> Amount:
        """What the selling site earns on one piece before any fee."""
        return Amount(self.price_amount - self.wholesale_amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """So many pieces at one unit price."""

    unit: UnitQuote
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuote:
    """What the pieces of one line cost the buyer (whole fen), the selling and the main site."""

    quantity: int
    total_amount: Amount
    wholesale_amount: Amount
    cost_amount: Amount
    trace: tuple[TraceStep, ...]
    upline_amount: Amount = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQuote:
    """What a buyer pays for an order and who gets which part of it.

    `wholesale_amount` is what the selling site pays, of which `upline_amount` is its upline's.
    """

    total_amount: Amount
    goods_amount: Amount
    wholesale_amount: Amount
    cost_amount: Amount
    parts: SaleParts
    lines: tuple[LineQuote, ...]
    trace: tuple[TraceStep, ...]
    upline_amount: Amount = ZERO

    @property
    def margin_amount(self) -> Amount:
        """What the selling site keeps."""
        return self.parts.site_amount

    @property
    def fee_amount(self) -> Amount:
        """What the gateway keeps."""
        return self.parts.fee_amount


def quote_unit(
    *,
    cost_amount: Amount,
    list_amount: Amount,
    plan: WholesalePlan | None = None,
    upline: WholesalePlan | None = None,
    rules: Sequence[MarkupRule] = (),
) -> UnitQuote:
    """Quote one piece from the rules that cover it; no plan means the main site's own price.

    `upline` are the terms on which a child buys from the sub-site above it, over that one's plan.

    Raise MoneyInvalid when a sum leaves the bounds.
    """
    check_amount(list_amount)
    steps = list(_buy_in(check_amount(cost_amount), plan=plan))
    bought = steps[-1].after_amount
    if upline is not None:
        steps.append(_buy_on(bought, terms=upline))
    wholesale = steps[-1].after_amount
    rule = choose_rule(rules)
    basis = PriceBasis(floor_amount=wholesale, list_amount=list_amount)
    steps.extend(form_price(basis, rule=rule))
    return UnitQuote(
        price_amount=steps[-1].after_amount,
        wholesale_amount=wholesale,
        cost_amount=cost_amount,
        list_amount=list_amount,
        rule_id=None if rule is None else rule.rule_id,
        trace=tuple(steps),
        upline_amount=Amount(wholesale - bought),
    )


def quote_line(line: OrderLine) -> LineQuote:
    """Quote one line: the only place where what a buyer pays is rounded to the fen.

    Half a fen goes up; a sum that would fall under what the site pays, or to nothing, goes up too.
    """
    unit, quantity = line.unit, line.quantity
    exact = multiply(unit.price_amount, quantity=quantity)
    wholesale = multiply(unit.wholesale_amount, quantity=quantity)
    steps = [_step("quantity", before=unit.price_amount, after=exact, quantity=quantity)]
    rounded = round_to_fen(exact, rounding=Rounding.HALF_UP)
    if rounded < wholesale or (rounded == 0 and exact > 0):
        rounded = round_to_fen(exact, rounding=Rounding.UP)
        steps.append(_step("raise_to_fen", before=exact, after=rounded))
    elif rounded != exact:
        steps.append(_step("round_to_fen", before=exact, after=rounded))
    return LineQuote(
        quantity=quantity,
        total_amount=rounded,
        wholesale_amount=wholesale,
        cost_amount=multiply(unit.cost_amount, quantity=quantity),
        trace=tuple(steps),
        upline_amount=multiply(unit.upline_amount, quantity=quantity),
    )


def quote_order(lines: Sequence[OrderLine], *, fee: FeeTerms = NO_FEE) -> OrderQuote:
    """Quote an order; raise MoneyInvalid without lines, below one piece or beyond the bounds."""
    if not lines:
        raise MoneyInvalid("lines_empty")
    quotes = tuple(quote_line(line) for line in lines)
    goods = check_amount(sum(quote.total_amount for quote in quotes))
    wholesale = check_amount(sum(quote.wholesale_amount for quote in quotes))
    total, fee_amount = _add_fee(goods, fee=fee)
    upline = check_amount(sum(quote.upline_amount for quote in quotes))
    parts = split_sale(
        total,
        wholesale_amount=Amount(wholesale - upline),
        upline_amount=upline,
        fee_amount=fee_amount,
        bearer=fee.bearer,
    )
    return OrderQuote(
        total_amount=total,
        goods_amount=goods,
        wholesale_amount=wholesale,
        cost_amount=check_amount(sum(quote.cost_amount for quote in quotes)),
        parts=parts,
        lines=quotes,
        trace=_order_trace(quotes, total=total, fee=fee, fee_amount=fee_amount),
        upline_amount=upline,
    )


def _buy_in(cost: Amount, *, plan: WholesalePlan | None) -> tuple[TraceStep, ...]:
    first = _step("cost", before=ZERO, after=cost, cost_amount=cost)
    if plan is None:
        return (first,)
    by_rate = apply_bps(cost, rate_bps=plan.markup_bps, rounding=Rounding.UP)
    least = plan.minimum_margin_amount
    if by_rate < least:
        wholesale = check_amount(cost + least)
        return (
            first,
            _step("wholesale_minimum", before=cost, after=wholesale, margin_amount=least),
        )
    wholesale = check_amount(cost + by_rate)
    return (
        first,
        _step("wholesale_rate", before=cost, after=wholesale, rate_bps=plan.markup_bps),
    )


def _buy_on(bought: Amount, *, terms: WholesalePlan) -> TraceStep:
    """Return the step from what an upline pays to what it asks of its child."""
    by_rate = apply_bps(bought, rate_bps=terms.markup_bps, rounding=Rounding.UP)
    least = terms.minimum_margin_amount
    if by_rate < least:
        after = check_amount(bought + least)
        return _step("upline_minimum", before=bought, after=after, margin_amount=least)
    after = check_amount(bought + by_rate)
    return _step("upline_rate", before=bought, after=after, rate_bps=terms.markup_bps)


def _add_fee(goods: Amount, *, fee: FeeTerms) -> tuple[Amount, Amount]:
    if fee.bearer is FeeBearer.BUYER:
        surcharge = surcharge_of(goods, rate_bps=fee.rate_bps)
        return check_amount(goods + surcharge), surcharge
    return goods, fee_of(goods, rate_bps=fee.rate_bps)


def _order_trace(
    quotes: Sequence[LineQuote], *, total: Amount, fee: FeeTerms, fee_amount: Amount
) -> tuple[TraceStep, ...]:
    steps = list(quotes[0].trace)
    reached = quotes[0].total_amount
    for quote in quotes[1:]:
        after = Amount(reached + quote.total_amount)
        steps.append(_step("add_line", before=reached, after=after, line_amount=quote.total_amount))
        reached = after
    if fee_amount:
        params = {"rate_bps": fee.rate_bps, "fee_amount": fee_amount}
        steps.append(_step(f"fee_{fee.bearer.value}", before=reached, after=total, **params))
    return tuple(steps)


def _step(code: str, *, before: Amount, after: Amount, **params: int | str) -> TraceStep:
    return TraceStep(code=code, params=params, before_amount=before, after_amount=after)
