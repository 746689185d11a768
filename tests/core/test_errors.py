"""Refusals that are common to all apps: what they say."""

import pytest
from django.utils import translation

from kameng.core.errors import TooMany


@pytest.mark.parametrize(
    ("seconds", "told", "english"),
    [
        (0, "0 秒", "0 seconds"),
        (17, "17 秒", "17 seconds"),
        (119, "119 秒", "119 seconds"),
        (120, "2 分钟", "2 minutes"),
        (3427, "58 分钟", "58 minutes"),
    ],
)
def test_a_long_wait_is_told_in_minutes(seconds: int, told: str, english: str) -> None:
    refusal = TooMany(retry_after_seconds=seconds)

    assert refusal.text() == f"操作太频繁，请在 {told}后再试。"
    with translation.override("en"):
        assert refusal.text() == f"Too many requests. Try again in {english}."
    assert refusal.params == {"retry_after_seconds": seconds}
