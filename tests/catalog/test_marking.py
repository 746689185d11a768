"""Mark-up rules: what is refused, one rule a scope, a preview that keeps its word."""

from dataclasses import replace
from typing import Any

import pytest

from kameng.catalog import errors
from kameng.catalog.models import PriceRule
from kameng.catalog.selectors import get_catalogue, list_rules
from kameng.catalog.services.marking import (
    RuleTarget,
    RuleTerms,
    delete_rule,
    preview_rule,
    save_rule,
    undo_rule,
)
from kameng.core.audit import SYSTEM
from kameng.pricing.markups import Ending, MarkupKind, RuleScope
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.factories import make_category, make_product, make_variant

RATE = RuleTerms(kind=MarkupKind.RATE, rate_bps=1000)
FIXED = RuleTerms(kind=MarkupKind.FIXED, amount=Amount(50_000))


def prices_of(site: Site) -> dict[int, int]:
    catalogue = get_catalogue(get_site_view(site.id))
    return {
        variant_id: variant.unit.price_amount
        for variant_id, (_, variant) in catalogue.variants_by_id.items()
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_bps": -1},
        {"rate_bps": 100_001},
        {"rate_bps": True},
        {"amount": -1},
        {"amount": 10_000_000_001},
        {"kind": MarkupKind.FIXED, "amount": 0},
        {"cap_bps": 0},
        {"cap_bps": 1_000_001},
    ],
)
def test_terms_without_sense_are_refused(site_a: Site, changes: dict[str, Any]) -> None:
    with site_scope(site_a.id):
        with pytest.raises(errors.RuleInvalid):
            save_rule(RuleTarget(), terms=replace(RATE, **changes), actor=SYSTEM)
        with pytest.raises(errors.RuleInvalid):
            preview_rule(RuleTarget(), terms=replace(RATE, **changes))
        assert PriceRule.objects.count() == 0


def test_a_rule_names_one_thing_that_the_site_sells(site_a: Site, main_site: Site) -> None:
    product = make_product(main_site)
    with site_scope(site_a.id):
        for target, refusal in (
            (RuleTarget(product_id=10**9), errors.ProductNotFound),
            (RuleTarget(category_id=10**9), errors.CategoryNotFound),
            (RuleTarget(variant_id=10**9), errors.VariantNotFound),
            (RuleTarget(product_id=product.id, variant_id=1), errors.RuleInvalid),
        ):
            with pytest.raises(refusal):
                save_rule(target, terms=RATE, actor=SYSTEM)


def test_saving_again_replaces_and_deleting_falls_back(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=RATE, actor=SYSTEM)
        first = save_rule(RuleTarget(variant_id=variant.id), terms=FIXED, actor=SYSTEM)
        dear = replace(FIXED, amount=Amount(200_000))
        second = save_rule(RuleTarget(variant_id=variant.id), terms=dear, actor=SYSTEM)
        scopes = [row.scope for row in list_rules()]
        assert prices_of(site_a) == {variant.id: 200_000}
        delete_rule(second.id, actor=SYSTEM)
        with pytest.raises(errors.RuleNotFound):
            delete_rule(second.id, actor=SYSTEM)

    assert first.id == second.id
    assert scopes == [RuleScope.SITE, RuleScope.VARIANT]
    assert prices_of(site_a) == {variant.id: 108_900}


def test_a_cap_holds_the_price_to_a_share_of_the_list_price(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=5000, cap_bps=12_000)
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=terms, actor=SYSTEM)

    assert prices_of(site_a) == {variant.id: 120_000}


@pytest.mark.parametrize("kind", ["site", "category", "product", "variant"])
def test_a_preview_shows_exactly_what_saving_does(main_site: Site, site_a: Site, kind: str) -> None:
    shelf = make_category(main_site)
    product = make_product(main_site, category=shelf)
    variants = [
        make_variant(product, cost_amount=cost, list_amount=cost + 10_000)
        for cost in (10_000, 55_555, 90_000)
    ]
    other = make_variant(make_product(main_site))
    targets = {
        "site": (RuleTarget(), 4),
        "category": (RuleTarget(category_id=shelf.id), 3),
        "product": (RuleTarget(product_id=product.id), 3),
        "variant": (RuleTarget(variant_id=variants[0].id), 1),
    }
    target, covered_count = targets[kind]
    terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=3333, ending=Ending.END_88)
    before = prices_of(site_a)

    with site_scope(site_a.id):
        preview = preview_rule(target, terms=terms)
        assert PriceRule.objects.count() == 0
        rule = save_rule(target, terms=terms, actor=SYSTEM)
    after = prices_of(site_a)

    assert preview.covered_count == covered_count
    shown = {row.variant_id: (row.before_amount, row.after_amount) for row in preview.rows}
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert shown == changed
    assert preview.changed_count == len(changed)
    lowered = [row for row in preview.rows if row.after_amount < row.before_amount]
    assert preview.lowered_count == len(lowered)
    assert kind == "site" or before[other.id] == after[other.id]
    with site_scope(site_a.id):
        undone = preview_rule(target, terms=None)
        delete_rule(rule.id, actor=SYSTEM)
    assert {row.variant_id: row.after_amount for row in undone.rows} == {
        key: before[key] for key in changed
    }


def test_a_preview_counts_what_lies_at_the_floor(main_site: Site, site_a: Site) -> None:
    make_variant(make_product(main_site))
    with site_scope(site_a.id):
        preview = preview_rule(RuleTarget(), terms=FIXED)

    assert (preview.covered_count, preview.at_floor_count) == (1, 1)
    assert preview.rows[0].after_amount == preview.rows[0].floor_amount == 99_000


@pytest.mark.parametrize(("first", "second"), [(None, RATE), (RATE, FIXED), (RATE, None)])
def test_a_change_is_undone_while_nobody_changed_it_since(
    site_a: Site, main_site: Site, first: RuleTerms | None, second: RuleTerms | None
) -> None:
    make_variant(make_product(main_site))
    target = RuleTarget()
    with site_scope(site_a.id):
        if first is not None:
            save_rule(target, terms=first, actor=SYSTEM)
        was = prices_of(site_a)
        if second is not None:
            save_rule(target, terms=second, actor=SYSTEM)
        else:
            delete_rule(PriceRule.objects.get().id, actor=SYSTEM)
        assert prices_of(site_a) != was

        undo_rule(target, before=first, after=second, actor=SYSTEM)

        assert prices_of(site_a) == was
        with pytest.raises(errors.RuleMoved):
            undo_rule(target, before=first, after=second, actor=SYSTEM)
        assert prices_of(site_a) == was


def test_a_rule_that_was_changed_again_is_left_alone(site_a: Site) -> None:
    target = RuleTarget()
    with site_scope(site_a.id):
        save_rule(target, terms=RATE, actor=SYSTEM)
        save_rule(target, terms=FIXED, actor=SYSTEM)
        with pytest.raises(errors.RuleMoved):
            undo_rule(target, before=None, after=RATE, actor=SYSTEM)
        assert PriceRule.objects.get().kind == "fixed"


def test_a_preview_names_the_most_changed_first(site_a: Site, main_site: Site) -> None:
    for cost in (90_000, 50_000, 98_000, 10_000):
        make_variant(make_product(main_site), cost_amount=cost)
    with site_scope(site_a.id):
        shown = preview_rule(RuleTarget(), terms=RATE)

    moved = [row.moved_bps for row in shown.rows]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > 8000
