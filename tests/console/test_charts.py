"""Drawings of figures: inside their box, whatever the figures are."""

import re

from hypothesis import given
from hypothesis import strategies as st

from kameng.console.charts import (
    CHART_HEIGHT,
    CHART_TOP,
    CHART_WIDTH,
    draw_columns,
    draw_line,
    draw_spark,
)

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


@given(values=st.lists(st.integers(min_value=-(10**9), max_value=10**15), max_size=31))
def test_columns_stay_under_the_highest_line_and_inside(values: list[int]) -> None:
    chart = draw_columns([str(each) for each in values], now=values, before=values[::-1])

    assert chart.rules[0].amount >= max([0, *values])
    assert chart.rules[-1].amount == 0
    assert len(chart.columns) == len(values)
    for column in chart.columns:
        assert 0 <= column.height <= CHART_HEIGHT
        assert CHART_TOP <= column.y <= CHART_TOP + CHART_HEIGHT
        assert 0 <= column.x <= column.x + column.width <= CHART_WIDTH + 60
    assert sum(column.is_labelled for column in chart.columns) <= 12
    assert len(re.findall(r"-?\d+ -?\d+", chart.before)) == len(values)


@given(values=FIGURES)
def test_a_line_of_single_values_stays_inside_its_box(values: list[int]) -> None:
    for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", draw_line(values).line):
        assert 0 <= int(x) <= 120
        assert 0 <= int(y) <= 40
