"""The worked numbers of docs/pricing.md are what the program computes."""

import pathlib
import re

import pytest

from kameng.pricing.margins import FeeBearer, FeeTerms, SaleParts, refund_parts
from kameng.pricing.markups import Ending, MarkupKind, MarkupRule, RuleScope, WholesalePlan
from kameng.pricing.money import Amount, parse_yuan, split
from kameng.pricing.own_goods import quote_own_unit
from kameng.pricing.quote import OrderLine, UnitQuote, quote_order, quote_unit

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "pricing.md"


def read_table(name: str) -> list[dict[str, str]]:
    block = DOCUMENT.read_text(encoding="utf-8").split(f"<!-- table: {name} -->\n")[1]
    lines = block.split("\n\n")[0].strip().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def read_rate(text: str) -> int:
    whole, _, rest = text.removesuffix("%").partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


def read_plan(text: str) -> WholesalePlan | None:
    if text == "-":
        return None
    rate, _, least = text.partition("+")
    return WholesalePlan(markup_bps=read_rate(rate), minimum_margin_amount=parse_yuan(least or "0"))


def read_rules(row: dict[str, str]) -> list[MarkupRule]:
    if row["rule"] == "-":
        return []
    kind, figure = row["rule"].split()
    is_rate = kind == "rate"
    return [
        MarkupRule(
            rule_id=1,
            scope=RuleScope.SITE,
            kind=MarkupKind(kind),
            rate_bps=read_rate(figure) if is_rate else 0,
            amount=Amount(0) if is_rate else parse_yuan(figure),
            ending=Ending(row["ending"]),
            cap_bps=None if row["cap"] == "-" else read_rate(row["cap"]),
        )
    ]


@pytest.mark.parametrize("row", read_table("unit"), ids=lambda row: row["case"])
def test_unit_price_is_the_documented_one(row: dict[str, str]) -> None:
    unit = quote_unit(
        cost_amount=parse_yuan(row["cost"]),
        list_amount=parse_yuan(row["list"]),
        plan=read_plan(row["plan"]),
        rules=read_rules(row),
    )

    assert unit.wholesale_amount == parse_yuan(row["wholesale"])
    assert unit.price_amount == parse_yuan(row["price"])


@pytest.mark.parametrize("row", read_table("order"), ids=lambda row: row["case"])
def test_order_is_shared_out_as_documented(row: dict[str, str]) -> None:
    unit = UnitQuote(
        price_amount=parse_yuan(row["price"]),
        wholesale_amount=parse_yuan(row["wholesale"]),
        cost_amount=Amount(0),
        list_amount=Amount(0),
        rule_id=None,
        trace=(),
    )
    fee = FeeTerms(rate_bps=read_rate(row["fee"]), bearer=FeeBearer(row["bearer"]))

    quote = quote_order([OrderLine(unit=unit, quantity=int(row["quantity"]))], fee=fee)

    assert quote.total_amount == parse_yuan(row["total"])
    assert quote.parts == SaleParts(
        main_amount=parse_yuan(row["main"]),
        site_amount=parse_yuan(row["site"]),
        fee_amount=parse_yuan(row["gateway"]),
    )


@pytest.mark.parametrize("row", read_table("refund"), ids=lambda row: row["refunded before"])
def test_refund_is_shared_out_as_documented(row: dict[str, str]) -> None:
    sale = SaleParts(
        main_amount=parse_yuan("28.764"),
        site_amount=parse_yuan("2.276"),
        fee_amount=parse_yuan("0.19"),
    )

    parts = refund_parts(
        sale,
        refunded_amount=parse_yuan(row["refunded before"]),
        refund_amount=parse_yuan(row["refund"]),
    )

    assert parts == SaleParts(
        main_amount=parse_yuan(row["main"]),
        site_amount=parse_yuan(row["site"]),
        fee_amount=parse_yuan(row["gateway"]),
    )


@pytest.mark.parametrize("row", read_table("chain"), ids=lambda row: row["case"])
def test_price_on_a_childs_shelf_is_the_documented_one(row: dict[str, str]) -> None:
    unit = quote_unit(
        cost_amount=parse_yuan(row["cost"]),
        list_amount=parse_yuan(row["list"]),
        plan=read_plan(row["plan"]),
        upline=read_plan(row["terms"]),
        rules=read_rules(row),
    )

    assert unit.wholesale_amount - unit.upline_amount == parse_yuan(row["wholesale"])
    assert unit.wholesale_amount == parse_yuan(row["asked"])
    assert unit.price_amount == parse_yuan(row["price"])


@pytest.mark.parametrize("row", read_table("child_order"), ids=lambda row: row["case"])
def test_order_of_a_child_is_shared_out_as_documented(row: dict[str, str]) -> None:
    asked = parse_yuan(row["asked"])
    unit = UnitQuote(
        price_amount=parse_yuan(row["price"]),
        wholesale_amount=asked,
        cost_amount=Amount(0),
        list_amount=Amount(0),
        rule_id=None,
        trace=(),
        upline_amount=Amount(asked - parse_yuan(row["wholesale"])),
    )
    fee = FeeTerms(rate_bps=read_rate(row["fee"]))

    quote = quote_order([OrderLine(unit=unit, quantity=int(row["quantity"]))], fee=fee)

    assert quote.total_amount == parse_yuan(row["total"])
    assert quote.parts == SaleParts(
        main_amount=parse_yuan(row["main"]),
        upline_amount=parse_yuan(row["upline"]),
        site_amount=parse_yuan(row["site"]),
        fee_amount=parse_yuan(row["gateway"]),
    )


@pytest.mark.parametrize("row", read_table("child_refund"), ids=lambda row: row["refunded before"])
def test_refund_of_a_child_is_shared_out_as_documented(row: dict[str, str]) -> None:
    sale = SaleParts(
        main_amount=parse_yuan("28.764"),
        upline_amount=parse_yuan("0.636"),
        site_amount=parse_yuan("1.64"),
        fee_amount=parse_yuan("0.19"),
    )

    parts = refund_parts(
        sale,
        refunded_amount=parse_yuan(row["refunded before"]),
        refund_amount=parse_yuan(row["refund"]),
    )

    assert parts == SaleParts(
        main_amount=parse_yuan(row["main"]),
        upline_amount=parse_yuan(row["upline"]),
        site_amount=parse_yuan(row["site"]),
        fee_amount=parse_yuan(row["gateway"]),
    )


@pytest.mark.parametrize("row", read_table("split"), ids=lambda row: row["total"])
def test_split_is_the_documented_one(row: dict[str, str]) -> None:
    weights = [int(weight) for weight in row["weights"].split()]

    parts = split(parse_yuan(row["total"]), weights=weights)

    assert parts == [parse_yuan(part) for part in row["parts"].split()]


def test_every_ending_and_bearer_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    words = set(re.findall(r"`([a-z_0-9]+)`", text))

    assert {ending.value for ending in Ending} <= words
    assert {bearer.value for bearer in FeeBearer} <= words


@pytest.mark.parametrize("row", read_table("own"), ids=lambda row: row["case"])
def test_own_goods_are_shared_as_documented(row: dict[str, str]) -> None:
    unit = quote_own_unit(
        cost_amount=Amount(0),
        list_amount=parse_yuan(row["price"]),
        share_bps=read_rate(row["rate"]),
    )

    assert unit.wholesale_amount == parse_yuan(row["share"])
    assert unit.margin_amount == parse_yuan(row["left"])
