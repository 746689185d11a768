"""Drawings of figures: inside their box, whatever the figures are."""

import re

from hypothesis import given
from hypothesis import strategies as st

from kameng.console.charts import BAR_HEIGHT, BAR_TOP, draw_bars, draw_spark

FIGURES = st.lists(st.integers(min_value=-(10**12), max_value=10**15), max_size=24)


@given(today=FIGURES, before=FIGURES)
def test_spark_stays_inside_its_box(today: list[int], before: list[int]) -> None:
    before = [*before, *[0] * (24 - len(before))]

    spark = draw_spark(today, before)

    for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", spark.line + spark.before):
        assert 0 <= int(x) <= 120
        assert 0 <= int(y) <= 40


def test_a_day_without_sales_is_a_flat_line() -> None:
    spark = draw_spark([0, 0, 0], [0] * 24)

    assert spark.line == "M0 37L5 37L10 37"


@given(values=st.lists(st.integers(min_value=0, max_value=10**15), min_size=7, max_size=7))
def test_bars_stay_under_the_highest_line(values: list[int]) -> None:
    bars, rules = draw_bars([*"日一二三四五六"], now=values, before=values[::-1])

    assert rules[0].amount >= max(values)
    assert rules[-1].amount == 0
    for bar in bars:
        assert 0 <= bar.height <= BAR_HEIGHT
        assert BAR_TOP <= bar.y <= BAR_TOP + BAR_HEIGHT
