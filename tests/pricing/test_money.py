"""Amounts are read strictly, printed exactly and split without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pricing.money import (
    MAX_AMOUNT,
    Amount,
    MoneyInvalid,
    Rounding,
    apply_bps,
    check_amount,
    format_yuan,
    from_fen,
    multiply,
    parse_fen_yuan,
    parse_yuan,
    round_to_fen,
    split,
    to_fen,
)

amounts = st.integers(0, MAX_AMOUNT).map(Amount)
signed_amounts = st.integers(-MAX_AMOUNT, MAX_AMOUNT).map(Amount)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("0.0001", 1),
        ("0.0123", 123),
        ("12.3", 123_000),
        ("12.30", 123_000),
        ("0012.34", 123_400),
        ("1000000000", MAX_AMOUNT),
    ],
)
def test_yuan_is_read_to_the_unit(text: str, amount: int) -> None:
    assert parse_yuan(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 ", " 1", "1\n", "+1", "-1", "-0", ".5", "5.", "1e3", "1E3", "0x10", "1_000"),
        *("1,000", "１２", "١", "¥1", "1元", "NaN", "inf", "1.2.3", "1\x00", "٣.٥", "²"),
        "12345678901",
    ],
)
def test_other_text_is_no_amount(text: str) -> None:
    with pytest.raises(MoneyInvalid) as refusal:
        parse_yuan(text)

    assert refusal.value.code == "money_format"


def test_decimals_beyond_the_unit_are_refused() -> None:
    for text in ("0.00001", "1.000000000000"):
        with pytest.raises(MoneyInvalid):
            parse_yuan(text)


def test_fen_yuan_takes_two_decimals_at_most() -> None:
    assert parse_fen_yuan("9.99") == 99_900
    with pytest.raises(MoneyInvalid) as refusal:
        parse_fen_yuan("9.990")
    assert refusal.value.code == "money_precision"


def test_sum_over_the_bound_is_refused() -> None:
    with pytest.raises(MoneyInvalid) as refusal:
        parse_yuan("1000000000.0001")
    assert refusal.value.code == "money_range"


@pytest.mark.parametrize("value", [True, "1", None, 1.0, -1, MAX_AMOUNT + 1])
def test_only_an_integer_within_bounds_is_an_amount(value: object) -> None:
    with pytest.raises(MoneyInvalid):
        check_amount(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (1, "0.0001"),
        (100, "0.01"),
        (150, "0.0150"),
        (123_400, "12.34"),
        (-100, "-0.01"),
    ],
)
def test_amount_is_printed_with_four_decimals_only_when_needed(amount: int, text: str) -> None:
    assert format_yuan(Amount(amount)) == text


@given(amounts)
def test_printed_amount_reads_back(amount: Amount) -> None:
    assert parse_yuan(format_yuan(amount)) == amount


@given(st.integers(0, MAX_AMOUNT // 100))
def test_fen_make_the_same_way_back(fen: int) -> None:
    assert to_fen(from_fen(fen)) == fen
    assert parse_fen_yuan(format_yuan(from_fen(fen))) == from_fen(fen)


def test_part_of_a_fen_is_never_dropped_silently() -> None:
    with pytest.raises(MoneyInvalid):
        to_fen(Amount(150))


@given(signed_amounts, st.sampled_from(Rounding))
def test_rounding_to_the_fen_moves_less_than_a_fen(amount: Amount, rounding: Rounding) -> None:
    try:
        rounded = round_to_fen(amount, rounding=rounding)
    except MoneyInvalid:
        assert abs(amount) > MAX_AMOUNT - 100
        return

    assert rounded % 100 == 0
    assert abs(rounded - amount) < 100
    assert round_to_fen(rounded, rounding=rounding) == rounded


@given(signed_amounts, st.sampled_from(Rounding))
def test_rounding_treats_debt_and_claim_alike(amount: Amount, rounding: Rounding) -> None:
    try:
        rounded = round_to_fen(amount, rounding=rounding)
    except MoneyInvalid:
        return
    assert round_to_fen(Amount(-amount), rounding=rounding) == -rounded


@given(amounts, st.integers(0, 10_000))
def test_rate_is_exact_to_one_unit(amount: Amount, rate_bps: int) -> None:
    down = apply_bps(amount, rate_bps=rate_bps, rounding=Rounding.DOWN)
    half = apply_bps(amount, rate_bps=rate_bps, rounding=Rounding.HALF_UP)
    up = apply_bps(amount, rate_bps=rate_bps, rounding=Rounding.UP)

    assert down * 10_000 <= amount * rate_bps <= up * 10_000
    assert 2 * abs(half * 10_000 - amount * rate_bps) <= 10_000
    assert up - down <= 1


@pytest.mark.parametrize("rate_bps", [-1, 1_000_001])
def test_rate_out_of_bounds_is_refused(rate_bps: int) -> None:
    with pytest.raises(MoneyInvalid):
        apply_bps(Amount(1), rate_bps=rate_bps, rounding=Rounding.DOWN)


@pytest.mark.parametrize("quantity", [0, -1, True, 1.5, "1", 2**70])
def test_quantity_that_is_no_count_is_refused(quantity: object) -> None:
    with pytest.raises(MoneyInvalid):
        multiply(Amount(10_000), quantity=quantity)  # type: ignore[arg-type]


@given(signed_amounts, st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_split_preserves_the_sum_and_the_sign(total: Amount, weights: list[int]) -> None:
    if sum(weights) == 0:
        with pytest.raises(MoneyInvalid):
            split(total, weights=weights)
        return

    parts = split(total, weights=weights)

    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(abs(part) * whole - abs(total) * weight) < whole
        assert weight or part == 0


@given(amounts, st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True))
def test_split_gives_the_heavier_weight_no_less(total: Amount, weights: list[int]) -> None:
    parts = split(total, weights=weights)

    by_weight = [part for _, part in sorted(zip(weights, parts, strict=True))]
    assert by_weight == sorted(by_weight)


@pytest.mark.parametrize("weights", [[], [0], [1, -1], [2, -1]])
def test_split_without_a_positive_weight_is_refused(weights: list[int]) -> None:
    with pytest.raises(MoneyInvalid):
        split(Amount(100), weights=weights)
