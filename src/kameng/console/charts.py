"""Small drawings of figures as SVG paths: spark lines and bars, in whole units, no script.

Promises a path for any figures, zero and equal ones included, inside the box it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SPARK_WIDTH, SPARK_HEIGHT = 120, 40
SPARK_PAD = 3
BAR_LEFT, BAR_TOP, BAR_HEIGHT, BAR_STEP, BAR_WIDTH = 56, 20, 156, 82, 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """The paths of one spark line: today, the ground below it, and the day before."""

    line: str
    area: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day of the chart: this week's bar and last week's beside it."""

    x: int
    y: int
    height: int
    before_x: int
    before_y: int
    before_height: int
    label_x: int
    label: str
    amount: int
    before_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the grid with its figure (1/10000 yuan)."""

    y: int
    text_y: int
    amount: int


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


def draw_bars(
    labels: Sequence[str], *, now: Sequence[int], before: Sequence[int]
) -> tuple[list[Bar], list[Rule]]:
    """Return a bar for each label with the one before it, and the lines of the grid."""
    top = _tidy_top(max([1, *now, *before]))
    bars = []
    for number, (label, amount, earlier) in enumerate(zip(labels, now, before, strict=True)):
        left = BAR_LEFT + number * BAR_STEP
        height, before_height = _height(amount, top), _height(earlier, top)
        bars.append(
            Bar(
                x=left + BAR_WIDTH + 4,
                y=BAR_TOP + BAR_HEIGHT - height,
                height=height,
                before_x=left,
                before_y=BAR_TOP + BAR_HEIGHT - before_height,
                before_height=before_height,
                label_x=left + BAR_WIDTH + 2,
                label=label,
                amount=amount,
                before_amount=earlier,
            )
        )
    rules = []
    for part in range(4):
        y = BAR_TOP + BAR_HEIGHT * part // 3
        rules.append(Rule(y=y, text_y=y + 4, amount=top * (3 - part) // 3))
    return bars, rules


def _height(amount: int, top: int) -> int:
    return max(0, amount) * BAR_HEIGHT // top


def _tidy_top(highest: int) -> int:
    """Return the next figure of the form 3, 6, 9, 15, 30 … whole yuan that is not below."""
    unit = 10_000
    while True:
        for steps in (3, 6, 9, 15):
            if steps * unit >= highest:
                return steps * unit
        unit *= 10
