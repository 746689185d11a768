"""The most specific rule counts, and no rule brings a price under its floor."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kameng.pricing.markups import (
    Ending,
    MarkupKind,
    MarkupRule,
    PriceBasis,
    RuleInvalid,
    RuleScope,
    WholesalePlan,
    choose_rule,
    form_price,
    lower_to_ending,
    raise_to_ending,
)
from kameng.pricing.money import SCALE, Amount
from tests.pricing.strategies import ENDINGS, PRICES, bases, markup_rules


def rule(**changes: object) -> MarkupRule:
    fields: dict[str, object] = {
        "rule_id": 1,
        "scope": RuleScope.SITE,
        "kind": MarkupKind.RATE,
        "rate_bps": 800,
    }
    return MarkupRule(**(fields | changes))  # type: ignore[arg-type]


@given(bases(), st.none() | markup_rules())
def test_price_never_lies_under_the_floor(basis: PriceBasis, chosen: MarkupRule | None) -> None:
    price = form_price(basis, rule=chosen)[-1].after_amount

    assert price >= basis.floor_amount


@given(bases(), markup_rules())
def test_price_over_the_cap_is_explained_by_the_floor(
    basis: PriceBasis, chosen: MarkupRule
) -> None:
    assume(chosen.cap_bps is not None and basis.list_amount > 0)

    steps = form_price(basis, rule=chosen)

    within = steps[-1].after_amount * 10_000 <= basis.list_amount * (chosen.cap_bps or 0)
    assert within or steps[-1].code == "cap_below_floor"


@given(bases(), markup_rules())
def test_goods_listed_in_fen_get_prices_in_fen(basis: PriceBasis, chosen: MarkupRule) -> None:
    assume(basis.list_amount % 100 == 0 and chosen.ending is not Ending.NONE)
    assume(chosen.cap_bps is None or basis.list_amount * chosen.cap_bps % 1_000_000 == 0)

    price = form_price(basis, rule=chosen)[-1].after_amount

    assert price % 100 == 0


@given(bases(), st.none() | markup_rules())
def test_steps_form_a_chain_from_the_floor(basis: PriceBasis, chosen: MarkupRule | None) -> None:
    steps = form_price(basis, rule=chosen)

    assert steps[0].before_amount == basis.floor_amount
    assert all(left.after_amount == right.before_amount for left, right in pairwise(steps))


@given(st.lists(markup_rules(), max_size=6, unique_by=lambda each: each.rule_id), st.randoms())
def test_order_of_the_rules_does_not_matter(rules: list[MarkupRule], random: object) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert choose_rule(shuffled) == choose_rule(rules)


def test_more_specific_rule_wins_over_a_higher_markup() -> None:
    by_scope = [rule(rule_id=number, scope=scope) for number, scope in enumerate(RuleScope)]

    for count in range(1, len(by_scope) + 1):
        chosen = choose_rule(reversed(by_scope[:count]))
        assert chosen is by_scope[count - 1]


def test_deeper_category_wins_and_then_the_newer_rule() -> None:
    shallow = rule(rule_id=9, scope=RuleScope.CATEGORY, depth=0)
    deep = rule(rule_id=2, scope=RuleScope.CATEGORY, depth=1)
    newer = rule(rule_id=3, scope=RuleScope.CATEGORY, depth=1)

    assert choose_rule([shallow, deep]) is deep
    assert choose_rule([newer, deep, shallow]) is newer


def test_no_rule_is_chosen_from_none() -> None:
    assert choose_rule([]) is None


@given(PRICES, ENDINGS)
def test_ending_goes_up_to_the_nearest(amount: Amount, ending: Ending) -> None:
    raised = raise_to_ending(amount, ending=ending)

    assert amount <= raised < amount + SCALE
    assert raise_to_ending(raised, ending=ending) == raised
    assert lower_to_ending(raised, ending=ending) == raised


@given(PRICES, PRICES, ENDINGS)
def test_dearer_stays_dearer_after_the_ending(one: Amount, two: Amount, ending: Ending) -> None:
    low, high = sorted((one, two))

    assert raise_to_ending(low, ending=ending) <= raise_to_ending(high, ending=ending)


def test_no_ending_lies_below_the_smallest_one() -> None:
    assert lower_to_ending(Amount(8_999), ending=Ending.END_9) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rate_bps": -1}, "rate_bps"),
        ({"rate_bps": 1_000_001}, "rate_bps"),
        ({"amount": -1}, "amount"),
        ({"amount": 10**14}, "amount"),
        ({"cap_bps": -1}, "cap_bps"),
        ({"kind": MarkupKind.FIXED, "amount": 0}, "amount"),
    ],
)
def test_senseless_rule_is_refused_by_field(changes: dict[str, object], code: str) -> None:
    with pytest.raises(RuleInvalid) as refusal:
        rule(**changes)

    assert refusal.value.code == code


def test_senseless_plan_is_refused_by_field() -> None:
    with pytest.raises(RuleInvalid) as refusal:
        WholesalePlan(markup_bps=0, minimum_margin_amount=Amount(-1))

    assert refusal.value.code == "minimum_margin_amount"
