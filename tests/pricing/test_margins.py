"""A sale is shared out whole, and refunds in any pieces give the whole back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.margins import (
    ChargeTerms,
    FeeBearer,
    FeeTerms,
    SaleParts,
    charge_terms,
    fee_of,
    is_wallet_part,
    most_wallet_part,
    prepaid_share,
    refund_parts,
    share_of_refund,
    split_sale,
    surcharge_back,
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
    ("refunded", "refund", "code"),
    [
        (0, 0, "refund_range"),
        (0, -1, "refund_range"),
        (0, 101, "refund_range"),
        (60, 41, "refund_range"),
        (100, 1, "refund_range"),
        (101, 1, "refunded_range"),
        (-1, 1, "refunded_range"),
    ],
)
def test_refund_beyond_what_is_left_is_refused(refunded: int, refund: int, code: str) -> None:
    sale = SaleParts(main_amount=Amount(90), site_amount=Amount(10), fee_amount=Amount(0))

    with pytest.raises(MoneyInvalid, match=f"^{code}$"):
        refund_parts(sale, refunded_amount=Amount(refunded), refund_amount=Amount(refund))


def test_refund_takes_the_fee_first_then_wholesale_then_margin_by_their_shares() -> None:
    """Three of a hundred are fee: the floors are counted by hand."""
    sale = SaleParts(main_amount=Amount(50), site_amount=Amount(47), fee_amount=Amount(3))

    first = refund_parts(sale, refunded_amount=Amount(0), refund_amount=Amount(1))
    half = refund_parts(sale, refunded_amount=Amount(0), refund_amount=Amount(50))
    last = refund_parts(sale, refunded_amount=Amount(99), refund_amount=Amount(1))

    assert (first.fee_amount, first.main_amount, first.site_amount) == (0, 0, 1)
    assert (half.fee_amount, half.main_amount, half.site_amount) == (1, 25, 24)
    assert (last.fee_amount, last.main_amount, last.site_amount) == (1, 0, 0)


def test_shares_of_a_sale_of_nothing_are_nothing() -> None:
    assert share_of_refund([Amount(0), Amount(0)], refunded_amount=Amount(0)) == [0, 0]


@pytest.mark.parametrize("refunded", [-1, 11])
def test_more_than_the_parts_hold_is_not_shared_out(refunded: int) -> None:
    with pytest.raises(MoneyInvalid, match="^refunded_range$"):
        share_of_refund([Amount(4), Amount(6)], refunded_amount=Amount(refunded))


@pytest.mark.parametrize(
    ("bearer", "parts"),
    [
        (FeeBearer.SITE, (80, 15, 5)),
        (FeeBearer.MAIN, (75, 20, 5)),
        (FeeBearer.BUYER, (80, 15, 5)),
    ],
)
def test_fee_is_taken_from_who_bears_it(bearer: FeeBearer, parts: tuple[int, int, int]) -> None:
    sale = split_sale(Amount(100), wholesale_amount=Amount(80), fee_amount=Amount(5), bearer=bearer)

    assert (sale.main_amount, sale.site_amount, sale.fee_amount) == parts


def test_fee_beyond_what_its_bearer_has_falls_on_the_other() -> None:
    site = split_sale(Amount(100), wholesale_amount=Amount(98), fee_amount=Amount(5))
    main = split_sale(
        Amount(100), wholesale_amount=Amount(3), fee_amount=Amount(5), bearer=FeeBearer.MAIN
    )

    assert (site.main_amount, site.site_amount) == (95, 0)
    assert (main.main_amount, main.site_amount) == (0, 95)


def test_sale_without_terms_has_no_fee_and_the_site_would_bear_it() -> None:
    sale = split_sale(Amount(100), wholesale_amount=Amount(80))

    assert (sale.main_amount, sale.site_amount, sale.fee_amount) == (80, 20, 0)
    assert FeeTerms(rate_bps=60).bearer is FeeBearer.SITE


@pytest.mark.parametrize("total", [-1, MAX_AMOUNT + 1])
def test_sum_beyond_the_bounds_is_neither_split_nor_charged(total: int) -> None:
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        split_sale(Amount(total), wholesale_amount=Amount(0))
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        fee_of(Amount(total), rate_bps=60)
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        surcharge_of(Amount(total), rate_bps=60)


@pytest.mark.parametrize(
    ("total", "rate_bps", "fee"),
    [
        (1_000_000, 60, 6_000),
        (990_000, 38, 3_800),  # 37.62 fen
        (250_000, 20, 500),
        (25_000, 20, 100),  # half a fen goes up
        (24_900, 20, 0),
        (150, 5_000, 100),  # three quarters of a fen
        (50, 5_000, 0),
        (1_000_000, 5_000, 500_000),
        (1_000_000, 0, 0),
    ],
)
def test_fee_of_known_sums(total: int, rate_bps: int, fee: int) -> None:
    assert fee_of(Amount(total), rate_bps=rate_bps) == fee


@pytest.mark.parametrize(
    ("goods", "rate_bps", "surcharge"),
    [
        (1_000_000, 100, 10_200),  # 1.0101 yuan, up to the next fen
        (990_000, 100, 10_000),
        (1_000_000, 5_000, 1_000_000),
        (100, 1, 100),
        (1_000_000, 0, 0),
        (0, 100, 0),
    ],
)
def test_surcharge_of_known_sums(goods: int, rate_bps: int, surcharge: int) -> None:
    assert surcharge_of(Amount(goods), rate_bps=rate_bps) == surcharge


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
    for ask in (
        lambda: FeeTerms(rate_bps=rate_bps),
        lambda: fee_of(Amount(100), rate_bps=rate_bps),
        lambda: surcharge_of(Amount(100), rate_bps=rate_bps),
    ):
        with pytest.raises(MoneyInvalid, match="^fee_rate_range$"):
            ask()


def test_half_of_the_sum_is_the_highest_rate_of_a_gateway() -> None:
    assert FeeTerms(rate_bps=5_000).rate_bps == 5_000
    assert FeeTerms(rate_bps=0).rate_bps == 0


# --- paying by wallet and gateway, with a surcharge --------------------------------------------


def test_a_buyer_who_bears_the_fee_adds_it_and_the_gateway_keeps_no_more() -> None:
    assert charge_terms(Amount(1_000_000), rate_bps=100, by_buyer=True) == ChargeTerms(
        amount=Amount(1_010_200), surcharge_amount=Amount(10_200), fee_amount=Amount(10_100)
    )
    assert charge_terms(Amount(1_000_000), rate_bps=100, by_buyer=False) == ChargeTerms(
        amount=Amount(1_000_000), surcharge_amount=Amount(0), fee_amount=Amount(10_000)
    )


@given(st.integers(1, 10**9).map(lambda fen: Amount(fen * 100)), st.integers(0, 5_000))
def test_a_surcharge_always_covers_the_fee_of_the_whole(rest: Amount, rate_bps: int) -> None:
    terms = charge_terms(rest, rate_bps=rate_bps, by_buyer=True)

    assert terms.amount == rest + terms.surcharge_amount
    assert 0 <= terms.fee_amount <= terms.surcharge_amount


@pytest.mark.parametrize(
    ("part", "may"),
    [(-100, False), (0, False), (50, False), (100, True), (9_900, True), (9_950, False)]
    + [(10_000, False), (10_100, False), (1, False), (101, False)],
)
def test_a_wallet_pays_whole_fen_and_leaves_something_to_the_gateway(
    part: int, *, may: bool
) -> None:
    assert is_wallet_part(part, total_amount=10_000) is may


@pytest.mark.parametrize(
    ("held", "most"),
    [(-100, 0), (0, 0), (1, 0), (99, 0), (100, 100), (199, 100), (9_999, 9_900)]
    + [(10_000, 0), (10_001, 0)],
)
def test_the_most_of_a_wallet_is_its_whole_fen_unless_it_covers_the_order(
    held: int, most: int
) -> None:
    assert most_wallet_part(held, total_amount=10_000) == most


@pytest.mark.parametrize(
    ("refunded", "back"),
    [(0, 0), (1, 0), (3_333, 300), (5_000, 500), (9_999, 1_000), (10_000, 1_050)],
)
def test_a_surcharge_goes_back_by_its_share_in_whole_fen_and_wholly_at_the_end(
    refunded: int, back: int
) -> None:
    assert surcharge_back(1_050, refunded_amount=refunded, total_amount=10_000) == back


@pytest.mark.parametrize("refunded", [-1, 10_001])
def test_a_surcharge_of_more_than_was_sold_is_refused(refunded: int) -> None:
    with pytest.raises(MoneyInvalid, match="^refunded_range$"):
        surcharge_back(1_050, refunded_amount=refunded, total_amount=10_000)


@pytest.mark.parametrize(
    ("refunded", "parts"),
    [
        (0, (0, 0, 0)),
        (1, (0, 1, 0)),
        (50, (40, 9, 1)),
        (99, (79, 19, 1)),
        (100, (80, 18, 2)),
    ],
)
def test_a_prepaid_sale_gives_back_wholesale_takings_and_fee(
    refunded: int, parts: tuple[int, int, int]
) -> None:
    """Of 100 paid, 80 were wholesale and 2 the operator's own gateway's: the floors by hand."""
    share = prepaid_share(
        total_amount=100, wholesale_amount=80, fee_amount=2, refunded_amount=refunded
    )

    assert (share.main_amount, share.site_amount, share.fee_amount) == parts
    assert share.total_amount == refunded


def test_a_prepaid_sale_below_cost_takes_from_the_operator() -> None:
    share = prepaid_share(total_amount=100, wholesale_amount=99, fee_amount=3, refunded_amount=100)

    assert (share.main_amount, share.site_amount, share.fee_amount) == (99, -2, 3)


def test_a_surcharge_of_the_largest_sums_is_exact() -> None:
    """A quotient by way of a fraction of 53 bits would be a fen higher here."""
    back = surcharge_back(
        9_993_812_817_055, refunded_amount=7_989_278_454_169, total_amount=8_095_982_912_747
    )

    assert back == 9_862_095_100_000
