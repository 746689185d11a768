"""The platform's share of own goods: whole units up, never above the price, never against it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.margins import FeeBearer, FeeTerms
from kameng.pricing.money import FEN, SCALE, Amount, MoneyInvalid
from kameng.pricing.own_goods import platform_share, quote_own_unit
from kameng.pricing.quote import OrderLine, quote_order
from kameng.pricing.trace import dump_trace, load_trace
from tests.pricing.strategies import FEES

LISTED = st.integers(1, 100_000 * SCALE).map(Amount)
RATES = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("price", "share_bps", "share"),
    [
        (1_000_000, 500, 50_000),  # 100 yuan, 5%: 5 yuan
        (1_000_000, 0, 0),
        (1_000_000, 10_000, 1_000_000),
        (1, 1, 1),  # a rate above zero takes no nothing
        (10_001, 500, 501),  # 500.05 units go up
        (39_000, 500, 1_950),
    ],
)
def test_the_share_goes_up_to_the_next_unit(price: int, share_bps: int, share: int) -> None:
    assert platform_share(Amount(price), share_bps=share_bps) == share


@pytest.mark.parametrize("share_bps", [-1, 10_001])
def test_a_rate_out_of_bounds_is_refused(share_bps: int) -> None:
    with pytest.raises(MoneyInvalid):
        platform_share(Amount(10_000), share_bps=share_bps)


@given(LISTED, RATES)
def test_the_share_is_the_least_unit_that_covers_the_rate(price: Amount, share_bps: int) -> None:
    share = platform_share(price, share_bps=share_bps)

    assert 0 <= share <= price
    assert share * 10_000 >= price * share_bps
    assert (share - 1) * 10_000 < price * share_bps


@given(LISTED, LISTED, RATES)
def test_a_dearer_piece_never_has_a_smaller_share(one: Amount, two: Amount, bps: int) -> None:
    low, high = sorted((one, two))

    assert platform_share(low, share_bps=bps) <= platform_share(high, share_bps=bps)


@given(LISTED, st.integers(0, 10**9).map(Amount), RATES)
def test_own_goods_are_sold_at_the_price_that_was_written(
    price: Amount, cost: Amount, share_bps: int
) -> None:
    unit = quote_own_unit(cost_amount=cost, list_amount=price, share_bps=share_bps)

    assert unit.price_amount == unit.list_amount == price
    assert unit.cost_amount == cost
    assert unit.rule_id is None
    assert unit.margin_amount >= 0
    assert unit.margin_amount + unit.wholesale_amount == price
    assert load_trace(dump_trace(unit.trace)) == unit.trace
    assert unit.trace[-1].after_amount == price


@given(LISTED, RATES, st.integers(1, 1_000), FEES)
def test_the_parts_of_an_order_add_up_and_the_share_is_that_of_a_piece_times_the_pieces(
    price: Amount, share_bps: int, quantity: int, fee: FeeTerms
) -> None:
    unit = quote_own_unit(cost_amount=Amount(0), list_amount=price, share_bps=share_bps)

    quote = quote_order([OrderLine(unit=unit, quantity=quantity)], fee=fee)

    assert quote.wholesale_amount == unit.wholesale_amount * quantity
    assert quote.total_amount % FEN == 0
    assert quote.parts.total_amount == quote.total_amount
    assert min(quote.parts.main_amount, quote.parts.site_amount) >= 0
    if fee.bearer is FeeBearer.BUYER:
        assert quote.parts.main_amount == quote.wholesale_amount
