"""Quotes add up, keep the floor, and their steps lead to the result."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.margins import FeeBearer, FeeTerms
from kameng.pricing.markups import Ending, MarkupRule, raise_to_ending
from kameng.pricing.money import Amount, MoneyInvalid
from kameng.pricing.quote import OrderLine, UnitQuote, quote_order, quote_unit
from kameng.pricing.trace import TraceStep
from tests.pricing.strategies import FEES, LINES, markup_rules, units


def replay(step: TraceStep) -> int:  # noqa: C901 - one case a code
    """Compute a step again from what it says of itself."""
    before, params = int(step.before_amount), step.params
    number = {name: value for name, value in params.items() if isinstance(value, int)}
    match step.code:
        case "wholesale_rate" | "markup_rate":
            return before - (-before * number["rate_bps"] // 10_000)
        case "wholesale_minimum":
            return before + number["margin_amount"]
        case "markup_amount":
            return before + number["amount"]
        case "markup_fixed":
            return number["amount"]
        case "cost" | "list_price" | "floor" | "cap_below_floor":
            names = {"cost": "cost_amount", "list_price": "list_amount"}
            return number[names.get(step.code, "floor_amount")]
        case "ending":
            ending = Ending(str(params["ending"]))
            return raise_to_ending(
                Amount(before), ending=Ending.FEN if ending is Ending.NONE else ending
            )
        case "quantity":
            return before * number["quantity"]
        case "round_to_fen":
            return (before + 50) // 100 * 100
        case "raise_to_fen":
            return -(-before // 100) * 100
        case "add_line":
            return before + number["line_amount"]
        case "fee_buyer":
            return before + number["fee_amount"]
        case "fee_site" | "fee_main":
            return before
    raise AssertionError(step.code)


@given(units())
def test_unit_trace_recomputes_to_the_price(unit: UnitQuote) -> None:
    steps = unit.trace

    assert steps[0].before_amount == 0
    assert steps[-1].after_amount == unit.price_amount
    assert all(left.after_amount == right.before_amount for left, right in pairwise(steps))
    for step in steps:
        if step.code == "cap":
            assert step.after_amount <= int(step.params["cap_amount"])
        else:
            assert replay(step) == step.after_amount


@given(units())
def test_nothing_is_priced_under_wholesale_nor_wholesale_under_cost(unit: UnitQuote) -> None:
    assert unit.price_amount >= unit.wholesale_amount >= unit.cost_amount
    assert unit.margin_amount >= 0


@given(LINES, FEES)
def test_order_parts_add_up_and_are_never_negative(lines: list[OrderLine], fee: FeeTerms) -> None:
    quote = quote_order(lines, fee=fee)

    assert quote.parts.total_amount == quote.total_amount
    assert min(quote.parts.main_amount, quote.margin_amount, quote.fee_amount) >= 0
    assert quote.goods_amount >= quote.wholesale_amount >= quote.cost_amount
    assert quote.total_amount % 100 == 0
    assert sum(line.total_amount for line in quote.lines) == quote.goods_amount


@given(LINES, FEES)
def test_order_trace_recomputes_to_the_total(lines: list[OrderLine], fee: FeeTerms) -> None:
    quote = quote_order(lines, fee=fee)

    assert quote.trace[-1].after_amount == quote.total_amount
    assert all(left.after_amount == right.before_amount for left, right in pairwise(quote.trace))
    assert all(replay(step) == step.after_amount for step in quote.trace)


@given(LINES, FEES, st.randoms())
def test_order_of_the_lines_does_not_change_the_sums(
    lines: list[OrderLine], fee: FeeTerms, random: object
) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    one, two = quote_order(lines, fee=fee), quote_order(shuffled, fee=fee)

    assert (one.total_amount, one.parts) == (two.total_amount, two.parts)


@given(LINES)
def test_buyer_pays_within_a_fen_of_the_exact_sum_a_line(lines: list[OrderLine]) -> None:
    quote = quote_order(lines)

    exact = sum(line.unit.price_amount * line.quantity for line in lines)
    assert abs(quote.goods_amount - exact) < 100 * len(lines)


@given(LINES, st.integers(0, 5_000))
def test_margin_never_depends_on_a_fee_that_the_buyer_bears(
    lines: list[OrderLine], rate_bps: int
) -> None:
    free = quote_order(lines)
    borne = quote_order(lines, fee=FeeTerms(rate_bps=rate_bps, bearer=FeeBearer.BUYER))

    assert borne.margin_amount == free.margin_amount
    assert borne.parts.main_amount == free.parts.main_amount


@given(units(), markup_rules())
def test_rule_that_is_not_the_most_specific_changes_nothing(
    unit: UnitQuote, winner: MarkupRule
) -> None:
    platform = [rule_like(winner, rule_id=number, scope_number=0) for number in range(100, 103)]
    ruled = quote_unit(cost_amount=unit.cost_amount, list_amount=unit.list_amount, rules=[winner])
    if winner.scope == 0:
        return

    again = quote_unit(
        cost_amount=unit.cost_amount,
        list_amount=unit.list_amount,
        rules=[*platform, winner],
    )

    assert again == ruled
    assert again.rule_id == winner.rule_id


def rule_like(rule: MarkupRule, *, rule_id: int, scope_number: int) -> MarkupRule:
    return MarkupRule(
        rule_id=rule_id,
        scope=type(rule.scope)(scope_number),
        kind=rule.kind,
        rate_bps=1,
        amount=Amount(1),
    )


def test_order_without_lines_is_refused() -> None:
    with pytest.raises(MoneyInvalid) as refusal:
        quote_order([])

    assert refusal.value.code == "lines_empty"


@pytest.mark.parametrize("quantity", [0, -1, 2**31 * 10**6])
def test_order_of_a_senseless_quantity_is_refused(quantity: int) -> None:
    unit = quote_unit(cost_amount=Amount(100), list_amount=Amount(20_000))

    with pytest.raises(MoneyInvalid):
        quote_order([OrderLine(unit=unit, quantity=quantity)])


@pytest.mark.parametrize(("cost", "list_price"), [(-1, 0), (0, -1), (10**14, 0), (0, 10**14)])
def test_unit_beyond_the_bounds_is_refused(cost: int, list_price: int) -> None:
    with pytest.raises(MoneyInvalid):
        quote_unit(cost_amount=Amount(cost), list_amount=Amount(list_price))
