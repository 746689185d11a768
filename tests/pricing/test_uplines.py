"""Three that share a sale: main site, upline, child. Nobody is ever sold under what they pay."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.margins import (
    FeeBearer,
    SaleParts,
    refund_parts,
    split_sale,
)
from kameng.pricing.markups import WholesalePlan
from kameng.pricing.money import Amount, MoneyInvalid
from kameng.pricing.quote import OrderLine, quote_order, quote_unit
from kameng.pricing.trace import MAIN_STEPS, UPLINE_STEPS, dump_trace, load_trace, steps_below
from tests.pricing.strategies import FEES, PLANS, PRICES, markup_rules

RULES = st.lists(markup_rules(), max_size=3)
SUMS = st.integers(0, 10**9).map(Amount)
SALES = st.builds(
    SaleParts, main_amount=SUMS, upline_amount=SUMS, site_amount=SUMS, fee_amount=SUMS
)


@given(PRICES, PRICES, PLANS, PLANS, RULES)
def test_each_level_pays_at_least_what_the_one_above_pays(
    cost: Amount,
    list_amount: Amount,
    plan: WholesalePlan,
    terms: WholesalePlan,
    rules: list,  # type: ignore[type-arg]
) -> None:
    unit = quote_unit(
        cost_amount=cost, list_amount=list_amount, plan=plan, upline=terms, rules=rules
    )
    above = quote_unit(cost_amount=cost, list_amount=list_amount, plan=plan, rules=rules)

    bought = unit.wholesale_amount - unit.upline_amount
    assert bought == above.wholesale_amount
    assert unit.upline_amount >= terms.minimum_margin_amount
    assert cost <= bought <= unit.wholesale_amount <= unit.price_amount
    assert unit.margin_amount >= 0


@given(PRICES, PRICES, PLANS, RULES)
def test_an_upline_that_asks_nothing_changes_no_price(
    cost: Amount,
    list_amount: Amount,
    plan: WholesalePlan,
    rules: list,  # type: ignore[type-arg]
) -> None:
    free = WholesalePlan(markup_bps=0)

    below = quote_unit(
        cost_amount=cost, list_amount=list_amount, plan=plan, upline=free, rules=rules
    )
    own = quote_unit(cost_amount=cost, list_amount=list_amount, plan=plan, rules=rules)

    assert below.price_amount == own.price_amount
    assert (below.upline_amount, own.upline_amount) == (0, 0)


@given(PRICES, PRICES, PLANS, PLANS, RULES)
def test_no_reader_sees_a_step_above_what_it_pays(
    cost: Amount,
    list_amount: Amount,
    plan: WholesalePlan,
    terms: WholesalePlan,
    rules: list,  # type: ignore[type-arg]
) -> None:
    unit = quote_unit(
        cost_amount=cost, list_amount=list_amount, plan=plan, upline=terms, rules=rules
    )
    for one, two in pairwise(unit.trace):
        assert one.after_amount == two.before_amount
    assert load_trace(dump_trace(unit.trace)) == unit.trace

    upline = steps_below(unit.trace, hidden=MAIN_STEPS)
    child = steps_below(unit.trace, hidden=MAIN_STEPS | UPLINE_STEPS)

    assert upline[0].code in UPLINE_STEPS
    assert upline[0].before_amount == unit.wholesale_amount - unit.upline_amount
    assert child[0].before_amount == unit.wholesale_amount
    assert not {step.code for step in upline} & MAIN_STEPS
    assert not {step.code for step in child} & (MAIN_STEPS | UPLINE_STEPS)


@given(PRICES, PRICES, PLANS, PLANS, RULES, st.integers(1, 1_000), FEES)
def test_an_order_is_shared_out_whole(
    cost: Amount,
    list_amount: Amount,
    plan: WholesalePlan,
    terms: WholesalePlan,
    rules: list,  # type: ignore[type-arg]
    quantity: int,
    fee: object,
) -> None:
    unit = quote_unit(
        cost_amount=cost, list_amount=list_amount, plan=plan, upline=terms, rules=rules
    )
    try:
        quote = quote_order([OrderLine(unit=unit, quantity=quantity)], fee=fee)  # type: ignore[arg-type]
    except MoneyInvalid:
        return

    parts = quote.parts
    assert parts.total_amount == quote.total_amount
    assert min(parts.main_amount, parts.upline_amount, parts.site_amount, parts.fee_amount) >= 0
    assert quote.upline_amount == unit.upline_amount * quantity
    assert quote.goods_amount >= quote.wholesale_amount


@given(SUMS, SUMS, SUMS, SUMS, st.sampled_from(FeeBearer))
def test_a_fee_reaches_the_upline_last(
    wholesale: Amount, upline: Amount, margin: Amount, fee: Amount, bearer: FeeBearer
) -> None:
    total = Amount(wholesale + upline + margin)
    fee = min(fee, total)

    parts = split_sale(
        total, wholesale_amount=wholesale, upline_amount=upline, fee_amount=fee, bearer=bearer
    )

    assert parts.total_amount == total
    assert min(parts.main_amount, parts.upline_amount, parts.site_amount) >= 0
    if parts.upline_amount < upline:
        assert (parts.main_amount, parts.site_amount) == (0, 0)


@given(SALES, st.lists(st.floats(0, 1), max_size=12))
def test_refunds_in_any_pieces_give_each_part_back(sale: SaleParts, cuts: list[float]) -> None:
    marks = sorted({int(cut * sale.total_amount) for cut in cuts} | {0, sale.total_amount})
    back = [0, 0, 0, 0]

    for refunded, after in pairwise(marks):
        parts = refund_parts(
            sale, refunded_amount=Amount(refunded), refund_amount=Amount(after - refunded)
        )
        each = (parts.main_amount, parts.upline_amount, parts.site_amount, parts.fee_amount)
        assert min(each) >= 0
        assert sum(each) == after - refunded
        back = [old + new for old, new in zip(back, each, strict=True)]

    assert back == [sale.main_amount, sale.upline_amount, sale.site_amount, sale.fee_amount]


def test_a_part_above_the_total_is_refused() -> None:
    with pytest.raises(MoneyInvalid) as refusal:
        split_sale(Amount(100), wholesale_amount=Amount(60), upline_amount=Amount(41))

    assert refusal.value.code == "upline_range"
