"""The tool that damages code finds what its slices name, and tells survivors from the noticed."""

import ast

import pytest

from kameng.accounts.rules import PERMISSIONS, ROLE_PERMISSIONS
from kameng.orders.rules import State
from tools import mutation
from tools.layers import ROOT


@pytest.mark.parametrize("name", mutation.SLICES)
def test_what_a_slice_names_exists(name: str) -> None:
    chosen = mutation.SLICES[name]

    for test in (*chosen.tests, *chosen.skipped):
        path, _, inside = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not inside or f"def {inside.partition('[')[0]}(" in text, test
    for module, patterns in chosen.functions.items():
        assert module in chosen.modules
        tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        named = {each.removeprefix("x_").removesuffix("__*") for each in patterns}
        assert named <= there, f"{module}: {sorted(named - there)}"
    assert all((ROOT / module).is_file() for module in chosen.modules)


def test_every_cell_of_a_table_is_damaged() -> None:
    arrows = list(mutation.list_cells("kameng.orders.rules", "ALLOWED"))
    rights = list(mutation.list_cells("kameng.accounts.rules", "ROLE_PERMISSIONS"))

    assert len(arrows) == len(set(arrows)) == len(State) ** 2
    assert len(rights) == len(set(rights)) == len(ROLE_PERMISSIONS) * len(PERMISSIONS)


def test_a_slice_under_the_floor_is_told_with_its_survivors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = mutation.Count(), mutation.Count()
    for number in range(20):
        good.add(f"a.{number}", is_killed=number < 17)
        bad.add(f"b.{number}", is_killed=number < 16)

    assert mutation.report("good", {"a": good})
    assert not mutation.report("bad", {"b": bad})
    assert not mutation.report("empty", {})
    printed = capsys.readouterr().out
    assert "85.0 %" in printed
    assert "not noticed: b.19" in printed
    assert "not noticed: b.15" not in printed
