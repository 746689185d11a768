"""Prices from the upline's purse to its child's shelf, for the terms that an upline sets.

Reads only, in the scope of the upline, which sees the way from its own price down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kameng.catalog.loading import load_plan, load_rules, upline_terms
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import ProductView, RuleBook, VariantView
from kameng.core.scope import open_scope
from kameng.pricing.markups import RuleInvalid, WholesalePlan
from kameng.pricing.money import MoneyInvalid
from kameng.pricing.quote import UnitQuote, quote_unit
from kameng.tenancy.selectors import SiteView, get_site_view, scope_of

CHAIN_ROWS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChain:
    """One piece: what the upline pays, what it asks, the child's shelf price."""

    title: str
    unit: UnitQuote
    list_amount: int

    @property
    def bought_amount(self) -> int:
        """What the upline itself pays."""
        return self.unit.wholesale_amount - self.unit.upline_amount

    @property
    def is_over_list(self) -> bool:
        """Tell whether the child pays the list price or more: hard to sell on."""
        return self.unit.wholesale_amount >= self.list_amount


def list_chains(
    view: SiteView, *, terms: WholesalePlan, child: SiteView | None = None, limit: int = CHAIN_ROWS
) -> list[PriceChain]:
    """Return the best-selling goods of an upline with their way to a child's shelf at these terms.

    With a child its own rules form the shelf price, else the list price does. The scope of the
    upline is in force.
    """
    rules = _rules_of(child) if child is not None else RuleBook()
    plan = load_plan(view.plan_id)
    chains: list[PriceChain] = []
    for product, variant in _bestsellers(view):
        if len(chains) == limit:
            break
        try:
            unit = quote_unit(
                cost_amount=variant.unit.cost_amount,
                list_amount=variant.list_amount,
                plan=plan,
                upline=terms,
                rules=rules.rules_of(
                    variant.id, product_id=product.id, category_id=product.category_id
                ),
            )
        except (MoneyInvalid, RuleInvalid):
            continue  # no price on the child's shelf either
        title = f"{product.title} {variant.name}".strip()
        chains.append(PriceChain(title=title, unit=unit, list_amount=variant.list_amount))
    return chains


def terms_of(child: SiteView) -> WholesalePlan:
    """Return what a child pays over its upline's wholesale price now."""
    return upline_terms(child) or WholesalePlan(markup_bps=0)


def _rules_of(child: SiteView) -> RuleBook:
    view = get_site_view(child.site_id)
    with open_scope(scope_of(view)):
        return load_rules(view)


def _bestsellers(view: SiteView) -> Iterator[tuple[ProductView, VariantView]]:
    for product in get_catalogue(view).hot:
        if product.owner_id == view.main_id:
            yield product, product.variants[0]
