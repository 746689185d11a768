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
    check_signed,
    divide,
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


@pytest.mark.parametrize("value", [None, 1, 1.5, b"1", ["1"]])
def test_what_is_no_text_is_no_amount(value: object) -> None:
    for parse in (parse_yuan, parse_fen_yuan):
        with pytest.raises(MoneyInvalid, match="^money_format$"):
            parse(value)  # type: ignore[arg-type]


def test_decimals_beyond_the_unit_are_refused() -> None:
    for text in ("0.00001", "1.000000000000"):
        with pytest.raises(MoneyInvalid, match="^money_format$"):
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


def test_refusal_says_its_code_as_its_text() -> None:
    refusal = MoneyInvalid("money_range")

    assert (str(refusal), refusal.code) == ("money_range", "money_range")


@pytest.mark.parametrize("value", [True, False, "1", None, 1.0])
def test_only_an_integer_is_an_amount(value: object) -> None:
    for check in (check_amount, check_signed):
        with pytest.raises(MoneyInvalid, match="^money_format$"):
            check(value)  # type: ignore[arg-type]


def test_amount_goes_from_zero_to_the_bound_and_no_further() -> None:
    assert check_amount(0) == 0
    assert check_amount(MAX_AMOUNT) == MAX_AMOUNT == 10_000_000_000_000
    for value in (-1, MAX_AMOUNT + 1):
        with pytest.raises(MoneyInvalid, match="^money_range$"):
            check_amount(value)


def test_signed_amount_is_bounded_on_both_sides() -> None:
    for value in (-MAX_AMOUNT, -1, 0, MAX_AMOUNT):
        assert check_signed(value) == value
    for value in (-MAX_AMOUNT - 1, MAX_AMOUNT + 1):
        with pytest.raises(MoneyInvalid, match="^money_range$"):
            check_signed(value)


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
    with pytest.raises(MoneyInvalid, match="^money_precision$"):
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


@pytest.mark.parametrize(
    ("dividend", "down", "half_up", "up"),
    [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (4, 0, 0, 1),
        (5, 0, 1, 1),
        (9, 0, 1, 1),
        (10, 1, 1, 1),
        (14, 1, 1, 2),
        (15, 1, 2, 2),
        (-4, 0, 0, -1),
        (-5, 0, -1, -1),
        (-15, -1, -2, -2),
    ],
)
def test_division_by_ten_rounds_as_named(dividend: int, down: int, half_up: int, up: int) -> None:
    assert divide(dividend, by=10, rounding=Rounding.DOWN) == down
    assert divide(dividend, by=10, rounding=Rounding.HALF_UP) == half_up
    assert divide(dividend, by=10, rounding=Rounding.UP) == up


def test_rounding_to_the_fen_is_half_up_unless_named() -> None:
    assert round_to_fen(Amount(149)) == 100
    assert round_to_fen(Amount(150)) == 200
    assert round_to_fen(Amount(-150)) == -200


def test_rate_goes_from_nothing_to_a_hundredfold() -> None:
    assert apply_bps(Amount(7), rate_bps=0, rounding=Rounding.UP) == 0
    assert apply_bps(Amount(7), rate_bps=1_000_000, rounding=Rounding.DOWN) == 700
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        apply_bps(MAX_AMOUNT, rate_bps=10_001, rounding=Rounding.DOWN)


@pytest.mark.parametrize("rate_bps", [-1, 1_000_001])
def test_rate_out_of_bounds_is_refused(rate_bps: int) -> None:
    with pytest.raises(MoneyInvalid, match="^rate_range$"):
        apply_bps(Amount(1), rate_bps=rate_bps, rounding=Rounding.DOWN)


@pytest.mark.parametrize("quantity", [0, -1, True, 1.5, "1"])
def test_quantity_that_is_no_count_is_refused(quantity: object) -> None:
    with pytest.raises(MoneyInvalid, match="^quantity_range$"):
        multiply(Amount(10_000), quantity=quantity)  # type: ignore[arg-type]


def test_pieces_multiply_up_to_the_bound() -> None:
    assert multiply(Amount(10_000), quantity=1) == 10_000
    assert multiply(Amount(-3), quantity=7) == -21
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        multiply(Amount(10_000), quantity=2**70)


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
    with pytest.raises(MoneyInvalid, match="^split_weights$"):
        split(Amount(100), weights=weights)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (10, [5, 3, 1], [6, 3, 1]),
        (11, [1, 3, 5], [1, 4, 6]),
        (2, [1, 0, 1], [1, 0, 1]),
        (1, [1, 2, 2], [0, 1, 0]),
        (0, [3, 4], [0, 0]),
        (5, [1], [5]),
    ],
)
def test_units_left_over_go_to_the_largest_remainder_then_to_the_earlier_part(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert split(Amount(total), weights=weights) == parts


def test_sum_beyond_the_bound_is_not_split() -> None:
    with pytest.raises(MoneyInvalid, match="^money_range$"):
        split(Amount(MAX_AMOUNT + 1), weights=[1])
