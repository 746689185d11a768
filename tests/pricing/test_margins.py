"""A sale is shared out whole, and refunds in any pieces give the whole back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.margins import (
    FeeBearer,
    FeeTerms,
    SaleParts,
    fee_of,
    refund_parts,
    share_of_refund,
    split_sale,
    surcharge_of,
)
from kameng.pricing.money import MAX_AMOUNT, Amount, MoneyInvalid

SUMS = st.integers(0, 10**9).map(Amount)
SALES = st.builds(SaleParts, main_amount=SUMS, site_amount=SUMS, fee_amount=SUMS)


def nothing() -> SaleParts:
    return SaleParts(main_amount=Amount(0), site_amount=Amount(0), fee_amount=Amount(0))


def add(one: SaleParts, two: SaleParts) -> SaleParts:
    return SaleParts(
        main_amount=Amount(one.main_amount + two.main_amount),
        site_amount=Amount(one.site_amount + two.site_amount),
        fee_amount=Amount(one.fee_amount + two.fee_amount),
    )


@given(SUMS, SUMS, SUMS, st.sampled_from(FeeBearer))
def test_sale_parts_add_up_and_are_never_negative(
    wholesale: Amount, margin: Amount, fee: Amount, bearer: FeeBearer
) -> None:
    total = Amount(wholesale + margin)
    fee = min(fee, total)

    parts = split_sale(total, wholesale_amount=wholesale, fee_amount=fee, bearer=bearer)

    assert parts.total_amount == total
    assert parts.fee_amount == fee
    assert min(parts.main_amount, parts.site_amount) >= 0
    assert parts.main_amount <= wholesale
    assert parts.site_amount <= margin


@given(SUMS, SUMS)
def test_site_bears_the_fee_up_to_its_margin(wholesale: Amount, margin: Amount) -> None:
    total = Amount(wholesale + margin)

    parts = split_sale(total, wholesale_amount=wholesale, fee_amount=margin)

    assert (parts.main_amount, parts.site_amount) == (wholesale, 0)


@pytest.mark.parametrize(
    ("wholesale", "fee", "code"),
    [
        (101, 0, "wholesale_range"),
        (-1, 0, "wholesale_range"),
        (0, 101, "fee_range"),
        (0, -1, "fee_range"),
    ],
)
def test_sale_that_does_not_cover_its_parts_is_refused(wholesale: int, fee: int, code: str) -> None:
    with pytest.raises(MoneyInvalid) as refusal:
        split_sale(Amount(100), wholesale_amount=Amount(wholesale), fee_amount=Amount(fee))

    assert refusal.value.code == code


@given(SALES, st.lists(st.floats(0, 1), max_size=12))
def test_partial_refunds_in_any_sequence_give_back_the_sale(
    sale: SaleParts, cuts: list[float]
) -> None:
    marks = sorted({int(cut * sale.total_amount) for cut in cuts} | {0, sale.total_amount})
    given_back = nothing()

    for refunded, after in pairwise(marks):
        parts = refund_parts(
            sale, refunded_amount=Amount(refunded), refund_amount=Amount(after - refunded)
        )
        assert parts.total_amount == after - refunded
        assert min(parts.main_amount, parts.site_amount, parts.fee_amount) >= 0
        given_back = add(given_back, parts)

    assert given_back == sale


@given(SALES, st.data())
def test_refund_in_two_pieces_gives_back_what_one_would(
    sale: SaleParts, data: st.DataObject
) -> None:
    if sale.total_amount < 2:
        return
    whole = data.draw(st.integers(2, sale.total_amount))
    first = data.draw(st.integers(1, whole - 1))

    one = refund_parts(sale, refunded_amount=Amount(0), refund_amount=Amount(first))
    two = refund_parts(sale, refunded_amount=Amount(first), refund_amount=Amount(whole - first))

    at_once = refund_parts(sale, refunded_amount=Amount(0), refund_amount=Amount(whole))
    assert add(one, two) == at_once


def test_refund_unit_by_unit_never_takes_back() -> None:
    sale = SaleParts(main_amount=Amount(50), site_amount=Amount(47), fee_amount=Amount(3))

    steps = [
        refund_parts(sale, refunded_amount=Amount(done), refund_amount=Amount(1))
        for done in range(100)
    ]

    assert all(min(s.main_amount, s.site_amount, s.fee_amount) >= 0 for s in steps)
    assert sum(step.fee_amount for step in steps) == 3


@given(st.lists(SUMS, min_size=1, max_size=6), st.data())
def test_share_stays_within_two_units_of_its_part_each(
    parts: list[Amount], data: st.DataObject
) -> None:
    total = sum(parts)
    refunded = data.draw(st.integers(0, total))

    shares = share_of_refund(parts, refunded_amount=Amount(refunded))

    assert sum(shares) == refunded
    for share, part in zip(shares, parts, strict=True):
        assert 0 <= share <= part
        assert abs(share * total - refunded * part) <= len(parts) * total


@pytest.mark.parametrize(
    ("refunded", "refund"), [(0, 0), (0, -1), (0, 101), (60, 41), (101, 1), (-1, 1)]
)
def test_refund_beyond_what_is_left_is_refused(refunded: int, refund: int) -> None:
    sale = SaleParts(main_amount=Amount(90), site_amount=Amount(10), fee_amount=Amount(0))

    with pytest.raises(MoneyInvalid):
        refund_parts(sale, refunded_amount=Amount(refunded), refund_amount=Amount(refund))


@given(st.integers(0, MAX_AMOUNT // 100).map(lambda fen: Amount(fen * 100)), st.integers(0, 5_000))
def test_fee_is_in_fen_and_within_half_a_fen(total: Amount, rate_bps: int) -> None:
    fee = fee_of(total, rate_bps=rate_bps)

    assert fee % 100 == 0
    assert 0 <= fee <= total
    assert 2 * abs(fee * 10_000 - total * rate_bps) <= 10_000 * 100


@given(st.integers(0, 10**9).map(lambda fen: Amount(fen * 100)), st.integers(0, 5_000))
def test_surcharge_covers_the_fee_on_the_whole(goods: Amount, rate_bps: int) -> None:
    surcharge = surcharge_of(goods, rate_bps=rate_bps)

    assert surcharge % 100 == 0
    assert fee_of(Amount(goods + surcharge), rate_bps=rate_bps) <= surcharge


@pytest.mark.parametrize("rate_bps", [-1, 5_001])
def test_fee_rate_out_of_bounds_is_refused(rate_bps: int) -> None:
    with pytest.raises(MoneyInvalid):
        FeeTerms(rate_bps=rate_bps)
    with pytest.raises(MoneyInvalid):
        fee_of(Amount(100), rate_bps=rate_bps)
    with pytest.raises(MoneyInvalid):
        surcharge_of(Amount(100), rate_bps=rate_bps)
