"""Every step has a text, in any language, and survives being stored."""

import ast
import json
import pathlib

import pytest
from hypothesis import given

from kameng.pricing.markups import Ending, RuleScope
from kameng.pricing.money import Amount
from kameng.pricing.quote import UnitQuote
from kameng.pricing.trace import (
    ENDING_TEXT,
    SCOPE_TEXT,
    TRACE_TEXT,
    TraceStep,
    dump_trace,
    explain_step,
    format_rate,
    load_trace,
)
from tests.pricing.strategies import units

PACKAGE = pathlib.Path(__file__).parents[2] / "src" / "kameng" / "pricing"


@given(units())
def test_every_step_is_explained_without_gaps(unit: UnitQuote) -> None:
    for step in unit.trace:
        text = explain_step(step)
        assert text
        assert "%(" not in text


@given(units())
def test_trace_survives_storage(unit: UnitQuote) -> None:
    stored = json.loads(json.dumps(dump_trace(unit.trace)))

    assert load_trace(stored) == unit.trace


def test_every_code_in_the_package_has_a_text_and_every_text_a_code() -> None:
    words = {
        node.value
        for path in PACKAGE.glob("*.py")
        if path.name != "trace.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    built = {f"markup_{kind}" for kind in ("rate", "amount", "fixed")}
    built |= {f"fee_{bearer}" for bearer in ("buyer", "site", "main")}

    assert set(TRACE_TEXT) <= words | built
    assert set(SCOPE_TEXT) == {scope.name.lower() for scope in RuleScope}
    assert set(ENDING_TEXT) == {ending.value for ending in Ending}


def test_texts_are_translated_before_they_are_filled_in() -> None:
    english = {TRACE_TEXT["ending"]: "Ending: %(ending)s", ENDING_TEXT["end_9"]: "in .9"}
    step = TraceStep(
        code="ending",
        params={"ending": "end_9"},
        before_amount=Amount(10_000),
        after_amount=Amount(19_000),
    )

    assert explain_step(step, translate=lambda text: english[text]) == "Ending: in .9"


@pytest.mark.parametrize(
    ("rate_bps", "text"), [(0, "0%"), (60, "0.6%"), (850, "8.5%"), (10_000, "100%"), (1, "0.01%")]
)
def test_rate_is_printed_without_idle_zeros(rate_bps: int, text: str) -> None:
    assert format_rate(rate_bps) == text


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"code": "x", "params": {}, "before": 0, "after": 0},
        {"code": "cost", "params": [], "before": 0, "after": 0},
        {"code": "cost", "params": {}, "before": "0", "after": 0},
    ],
)
def test_foreign_row_is_no_step(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="trace_step"):
        load_trace([row])
