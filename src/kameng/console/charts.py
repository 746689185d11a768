"""Small drawings of figures as SVG paths: spark lines and bars, in whole units, no script.

Promises a path for any figures, zero and equal ones included, inside the box it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SPARK_WIDTH, SPARK_HEIGHT = 120, 40
SPARK_PAD = 3
CHART_LEFT, CHART_TOP, CHART_WIDTH, CHART_HEIGHT = 56, 14, 584, 156
LABELS_MOST = 12  # more would run into one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """The paths of one spark line: today, the ground below it, and the day before."""

    line: str
    area: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One hour, day or month of the chart."""

    x: int
    y: int
    width: int
    height: int
    middle: int
    label: str
    is_labelled: bool
    amount: int
    before_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the grid with its figure (1/10000 yuan)."""

    y: int
    text_y: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A chart: its columns, the path of the time before, its grid."""

    columns: list[Column]
    before: str
    rules: list[Rule]


def draw_spark(today: Sequence[int], before: Sequence[int]) -> Spark:
    """Return the running totals of a day as paths, with the day before on the same scale."""
    now_points = _running(today)
    before_points = _running(before)
    top = max([1, *now_points, *before_points])
    line = _path(now_points, slots=len(before_points), top=top)
    end = _x(len(now_points) - 1, slots=len(before_points)) if now_points else 0
    return Spark(
        line=line,
        area=f"{line}V{SPARK_HEIGHT}H0Z" if end else "",
        before=_path(before_points, slots=len(before_points), top=top),
    )


def draw_line(values: Sequence[int]) -> Spark:
    """Return single values as a path, with the ground below it."""
    line = _path(values, slots=len(values), top=max([1, *values]))
    return Spark(line=line, area=f"{line}V{SPARK_HEIGHT}H0Z" if len(values) > 1 else "", before="")


def _running(values: Sequence[int]) -> list[int]:
    total, points = 0, []
    for value in values:
        total += value
        points.append(total)
    return points


def _x(number: int, *, slots: int) -> int:
    return number * SPARK_WIDTH // max(1, slots - 1)


def _path(points: Sequence[int], *, slots: int, top: int) -> str:
    if not points:
        return ""
    span = SPARK_HEIGHT - 2 * SPARK_PAD
    places = [
        (_x(number, slots=slots), SPARK_HEIGHT - SPARK_PAD - max(0, value) * span // top)
        for number, value in enumerate(points)
    ]
    return "M" + "L".join(f"{x} {y}" for x, y in places)


def draw_columns(labels: Sequence[str], *, now: Sequence[int], before: Sequence[int]) -> Columns:
    """Return a column for each label, the line of the time before, and the lines of the grid.

    `before` may be shorter or longer than the labels: the line has as many points as both have.
    """
    top = _tidy_top(max([1, *now, *before]))
    count = max(1, len(labels))
    width = max(2, min(36, CHART_WIDTH * 62 // (100 * count)))
    middles = [CHART_LEFT + CHART_WIDTH * (2 * each + 1) // (2 * count) for each in range(count)]
    every = -(-len(labels) // LABELS_MOST)
    columns = []
    for number, (label, amount) in enumerate(zip(labels, now, strict=True)):
        middle = middles[number]
        height = _height(amount, top)
        columns.append(
            Column(
                x=middle - width // 2,
                y=CHART_TOP + CHART_HEIGHT - height,
                width=width,
                height=height,
                middle=middle,
                label=label,
                is_labelled=number % every == 0,
                amount=amount,
                before_amount=before[number] if number < len(before) else 0,
            )
        )
    ground = CHART_TOP + CHART_HEIGHT
    line = "L".join(
        f"{middles[number]} {ground - _height(value, top)}"
        for number, value in enumerate(before[: len(labels)])
    )
    rules = [
        Rule(
            y=CHART_TOP + CHART_HEIGHT * part // 3,
            text_y=CHART_TOP + CHART_HEIGHT * part // 3 + 4,
            amount=top * (3 - part) // 3,
        )
        for part in range(4)
    ]
    return Columns(columns=columns, before=f"M{line}" if line else "", rules=rules)


def _height(amount: int, top: int) -> int:
    return max(0, amount) * CHART_HEIGHT // top


def _tidy_top(highest: int) -> int:
    """Return the next figure of the form 3, 6, 9, 15, 30 … whole yuan that is not below."""
    unit = 10_000
    while True:
        for steps in (3, 6, 9, 15):
            if steps * unit >= highest:
                return steps * unit
        unit *= 10
