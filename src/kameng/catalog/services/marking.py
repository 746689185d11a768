"""A site's mark-up rules: saved, deleted, and tried on the goods before they are.

Promises that a rule names only goods that the site sells, that one scope has one rule, and that a
preview shows exactly the prices that saving it would make.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.catalog.errors import (
    CategoryNotFound,
    ProductNotFound,
    RuleInvalid,
    RuleMoved,
    RuleNotFound,
    VariantNotFound,
)
from kameng.catalog.loading import load_listings, load_rules, markup_rule
from kameng.catalog.models import Category, PriceRule, Product, Variant
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import CatalogueKey, RuleBook, build_catalogue
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pricing import markups
from kameng.pricing.markups import Ending, MarkupKind, MarkupRule, RuleScope
from kameng.pricing.money import ZERO, Amount
from kameng.tenancy.selectors import get_site_view
from kameng.tenancy.services import bump_catalogue_version

MAX_RATE_BPS: Final = 100_000
MAX_CAP_BPS: Final = 1_000_000
MAX_RULE_AMOUNT: Final = 10_000_000_000
PREVIEW_LIMIT: Final = 500
_REASONS: Final = {
    "rate_bps": _("加价比例应在 0% 到 1000% 之间。"),
    "amount": _("金额应大于 0，且不超过 100 万元。"),
    "cap_bps": _("上限应在建议售价的 1% 到 10000% 之间，留空表示没有上限。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTarget:
    """What a rule covers: one category, product or variant, or (nothing given) the whole site."""

    category_id: int | None = None
    product_id: int | None = None
    variant_id: int | None = None

    @property
    def scope(self) -> RuleScope:
        """How much it covers."""
        if self.variant_id is not None:
            return RuleScope.VARIANT
        if self.product_id is not None:
            return RuleScope.PRODUCT
        return RuleScope.SITE if self.category_id is None else RuleScope.CATEGORY

    @property
    def target_id(self) -> int:
        """The id of what it covers; zero for the whole site."""
        return self.variant_id or self.product_id or self.category_id or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """How a rule forms a price; `cap_bps` is the most it may be, as a share of the list price."""

    kind: MarkupKind
    rate_bps: int = 0
    amount: Amount = ZERO
    ending: Ending = Ending.FEN
    cap_bps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePreview:
    """One variant before and after; `floor_amount` is what the site pays for it."""

    product_id: int
    variant_id: int
    title: str
    variant_name: str
    before_amount: Amount
    after_amount: Amount
    floor_amount: Amount
    list_amount: Amount

    @property
    def moved_bps(self) -> int:
        """How far the price moves, up or down, as a share of what it is."""
        moved = abs(self.after_amount - self.before_amount)
        return moved * 10_000 // max(self.before_amount, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePreview:
    """What a rule would do: how many variants it covers and changes, the most changed first.

    A first rule may lower prices: without one goods stand at the suggested price.
    """

    covered_count: int
    changed_count: int
    lowered_count: int
    at_floor_count: int
    rows: tuple[PricePreview, ...]


def save_rule(target: RuleTarget, *, terms: RuleTerms, actor: Actor) -> PriceRule:
    """Set the rule of a scope on the site in force, replacing the one before.

    Raises `RuleInvalid`, and `…NotFound` for goods that the site does not sell.
    """
    _check_terms(terms)
    site_id = require_site_id()
    with transaction.atomic():
        _require_target(target)
        before = _find_rule(target)
        rule = _new_rule(target, terms, site_id=site_id)
        PriceRule.objects.bulk_create(
            [rule],
            update_conflicts=True,
            update_fields=["kind", "rate_bps", "amount", "rounding", "cap_bps"],
            unique_fields=["site", "category", "product", "variant"],
        )
        saved = _find_rule(target)
        if saved is None:
            raise RuleNotFound
        PriceRule.objects.filter(id=saved.id).update(updated_at=Now())
        detail = {"before": _terms_detail(before), "after": _terms_detail(saved)}
        _close("price_rule.saved", actor=actor, rule=saved, detail=detail)
    return saved


def delete_rule(rule_id: int, *, actor: Actor) -> PriceRule:
    """Remove a rule of the site in force and return it; prices fall back to the next wider one."""
    with transaction.atomic():
        rule = PriceRule.objects.filter(id=rule_id).first()
        if rule is None or not PriceRule.objects.filter(id=rule_id).delete()[0]:
            raise RuleNotFound
        _close("price_rule.deleted", actor=actor, rule=rule, detail={"before": _terms_detail(rule)})
    found: PriceRule = rule
    return found


def undo_rule(
    target: RuleTarget, *, before: RuleTerms | None, after: RuleTerms | None, actor: Actor
) -> None:
    """Bring the rule of a scope back to what it was before a change; None: there was none.

    Only while it is still what that change made of it: each way is one statement that compares.
    Raises `RuleMoved` when somebody has changed it since.
    """
    with transaction.atomic():
        _require_target(target)
        kept = _find_rule(target)
        if after is None:
            moved = _put_back(target, before)
        else:
            same = _rules_of(target).filter(**_columns(after))
            moved = same.delete()[0] if before is None else same.update(**_columns(before))
        rule = _find_rule(target) or kept
        if not moved or rule is None:
            raise RuleMoved
        detail = {"before": _terms_detail(kept), "after": _terms_detail(_find_rule(target))}
        _close("price_rule.restored", actor=actor, rule=rule, detail=detail)


def _put_back(target: RuleTarget, terms: RuleTerms | None) -> int:
    """Insert a rule where there is none; tell how many that were."""
    if terms is None or _find_rule(target) is not None:
        return 0
    rule = _new_rule(target, terms, site_id=require_site_id())
    PriceRule.objects.bulk_create([rule], ignore_conflicts=True)
    return _rules_of(target).filter(**_columns(terms)).count()


def _new_rule(target: RuleTarget, terms: RuleTerms, *, site_id: int) -> PriceRule:
    return PriceRule(
        site_id=site_id,
        category_id=target.category_id,
        product_id=target.product_id,
        variant_id=target.variant_id,
        **_columns(terms),
    )


def _columns(terms: RuleTerms) -> dict[str, object]:
    return {
        "kind": terms.kind.value,
        "rate_bps": terms.rate_bps,
        "amount": int(terms.amount),
        "rounding": terms.ending.value,
        "cap_bps": terms.cap_bps,
    }


def preview_rule(target: RuleTarget, *, terms: RuleTerms | None) -> RulePreview:
    """Show what saving these terms (None: deleting the rule) would do to what is listed."""
    if terms is not None:
        _check_terms(terms)
    _require_target(target)
    view = get_site_view(require_site_id())
    before = get_catalogue(view)
    key = CatalogueKey(
        site_id=view.site_id,
        main_id=view.main_id,
        version=view.catalogue_version,
        main_version=view.main_version,
    )
    rules = _with_rule(load_rules(view), target, terms)
    listings = {} if view.is_main else load_listings()
    after = build_catalogue(key, goods=before.goods, rules=rules, listings=listings)
    rows = []
    for product, variant in after.variants_by_id.values():
        known = before.find_variant(variant.id)
        covered = {0, product.category_id} if target.scope <= RuleScope.CATEGORY else {product.id}
        if target.scope is RuleScope.VARIANT:
            covered = {variant.id}
        if not view.is_main and product.owner_id == view.site_id:
            continue  # own goods are sold at the price that was written for them
        if known is not None and target.target_id in covered:
            rows.append(
                PricePreview(
                    product_id=product.id,
                    variant_id=variant.id,
                    title=product.title,
                    variant_name=variant.name,
                    before_amount=known[1].unit.price_amount,
                    after_amount=variant.unit.price_amount,
                    floor_amount=variant.unit.wholesale_amount,
                    list_amount=variant.list_amount,
                )
            )
    changed = [row for row in rows if row.before_amount != row.after_amount]
    changed.sort(key=lambda row: (-row.moved_bps, row.variant_id))
    return RulePreview(
        covered_count=len(rows),
        changed_count=len(changed),
        lowered_count=sum(row.after_amount < row.before_amount for row in changed),
        at_floor_count=sum(row.after_amount <= row.floor_amount for row in rows),
        rows=tuple((changed or rows)[:PREVIEW_LIMIT]),
    )


def _check_terms(terms: RuleTerms) -> None:
    numbers = (terms.rate_bps, terms.amount, terms.cap_bps or 0)
    if any(isinstance(each, bool) or not isinstance(each, int) for each in numbers):
        raise RuleInvalid(reason=_REASONS["amount"])
    if not 0 <= terms.rate_bps <= MAX_RATE_BPS:
        raise RuleInvalid(reason=_REASONS["rate_bps"])
    if not 0 <= terms.amount <= MAX_RULE_AMOUNT:
        raise RuleInvalid(reason=_REASONS["amount"])
    if terms.cap_bps is not None and not 100 <= terms.cap_bps <= MAX_CAP_BPS:
        raise RuleInvalid(reason=_REASONS["cap_bps"])
    try:
        _markup(RuleTarget(), terms)
    except markups.RuleInvalid as fault:
        raise RuleInvalid(reason=_REASONS[fault.code]) from fault


def _markup(target: RuleTarget, terms: RuleTerms) -> MarkupRule:
    return MarkupRule(
        rule_id=0,
        scope=target.scope,
        kind=terms.kind,
        rate_bps=terms.rate_bps,
        amount=terms.amount,
        ending=terms.ending,
        cap_bps=terms.cap_bps,
    )


def _require_target(target: RuleTarget) -> None:
    given = [each for each in (target.category_id, target.product_id, target.variant_id) if each]
    if len(given) > 1:
        raise RuleInvalid(reason=_("一条规则只能针对一个范围。"))
    owner_ids: list[int] = []
    for row_id, model, missing in (
        (target.category_id, Category, CategoryNotFound),
        (target.product_id, Product, ProductNotFound),
        (target.variant_id, Variant, VariantNotFound),
    ):
        if row_id:
            owner_ids = list(model.objects.filter(id=row_id).values_list("site_id", flat=True))
            if not owner_ids:
                raise missing
    view = get_site_view(require_site_id())
    if not view.is_main and view.site_id in owner_ids:
        raise RuleInvalid(reason=_("自营商品没有供货价，不用加价，请直接改它的售价。"))


def _rules_of(target: RuleTarget) -> QuerySet[PriceRule]:
    rows: QuerySet[PriceRule] = PriceRule.objects.filter(
        category_id=target.category_id,
        product_id=target.product_id,
        variant_id=target.variant_id,
    )
    return rows


def _find_rule(target: RuleTarget) -> PriceRule | None:
    return _rules_of(target).first()


def _with_rule(rules: RuleBook, target: RuleTarget, terms: RuleTerms | None) -> RuleBook:
    rule = None if terms is None else _markup(target, terms)
    if target.scope is RuleScope.SITE:
        return replace(rules, site=rule)
    name = {
        RuleScope.CATEGORY: "categories",
        RuleScope.PRODUCT: "products",
        RuleScope.VARIANT: "variants",
    }[target.scope]
    known: Mapping[int, MarkupRule] = getattr(rules, name)
    changed = {key: value for key, value in known.items() if key != target.target_id}
    if rule is not None:
        changed[target.target_id] = rule
    if name == "categories":
        return replace(rules, categories=changed)
    if name == "products":
        return replace(rules, products=changed)
    return replace(rules, variants=changed)


def _terms_detail(rule: PriceRule | None) -> dict[str, object]:
    if rule is None:
        return {}
    return {
        "scope": markup_rule(rule).scope.name.lower(),
        "kind": rule.kind,
        "rate_bps": rule.rate_bps,
        "amount": rule.amount,
        "rounding": rule.rounding,
        "cap_bps": rule.cap_bps,
    }


def _close(action: str, *, actor: Actor, rule: PriceRule, detail: Mapping[str, object]) -> None:
    site_id = require_site_id()
    record(action, actor=actor, site_id=site_id, subject=("price_rule", rule.id), detail=detail)
    bump_catalogue_version(site_id)
