"""Codes of an authenticator app, against the values of RFC 6238 and RFC 4226."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.accounts import totp

RFC_SECRET = b"12345678901234567890"


# RFC 6238, appendix B (SHA-1, cut to six digits).
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_at(RFC_SECRET, step=seconds // 30) == code
    assert totp.find_step(RFC_SECRET, code=code, seconds=seconds) == seconds // 30


# RFC 4226, appendix D.
def test_counters_are_those_of_the_older_standard() -> None:
    codes = [totp.code_at(RFC_SECRET, step=step) for step in range(10)]

    assert codes == [
        *("755224", "287082", "359152", "969429", "338314"),
        *("254676", "287922", "162583", "399871", "520489"),
    ]


@pytest.mark.parametrize(("late_seconds", "is_found"), [(-60, False), (-30, True), (30, True)])
def test_a_clock_may_differ_by_one_step(late_seconds: int, *, is_found: bool) -> None:
    code = totp.code_at(RFC_SECRET, step=1000)

    found = totp.find_step(RFC_SECRET, code=code, seconds=1000 * 30 + late_seconds)

    assert (found == 1000) is is_found


@given(st.text(max_size=12))
def test_anything_else_is_no_code(text: str) -> None:
    near = {totp.code_at(RFC_SECRET, step=step) for step in (999, 1000, 1001)}

    found = totp.find_step(RFC_SECRET, code=text, seconds=30_000)

    assert (found is not None) == (text in near)


def test_an_app_is_told_everything_by_the_picture() -> None:
    uri = totp.setup_uri(RFC_SECRET, login="lin@example.com", issuer="星河 卡盟")

    assert uri == (
        "otpauth://totp/%E6%98%9F%E6%B2%B3%20%E5%8D%A1%E7%9B%9F%3Alin%40example.com"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=%E6%98%9F%E6%B2%B3%20%E5%8D%A1%E7%9B%9F&algorithm=SHA1&digits=6&period=30"
    )
    assert totp.secret_text(RFC_SECRET).startswith("GEZD GNBV")
