"""Numbers and tokens: their form, and that nobody guesses the next."""

import datetime as dt

from kameng.core.ids import new_number, new_token, token_digest

MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


def test_a_number_is_eighteen_digits_with_the_day_in_front() -> None:
    numbers = {new_number(MOMENT) for _ in range(1000)}

    assert len(numbers) == 1000
    assert all(len(each) == 18 and each.isdecimal() and each[:6] == "261122" for each in numbers)


def test_a_token_has_192_bits_and_is_kept_as_a_digest() -> None:
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert {len(each) for each in tokens} == {32}
    assert len(token_digest("x")) == 32
    assert token_digest("\ud800") != token_digest("x")
