"""Adopted rows against the shelf: what each would change, and the writing of it in bulk.

Promises that planning and writing decide alike, that one step is a handful of statements, and that
what an undo needs comes back from each write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models.functions import Now

from kameng.catalog.adopting import Adopted
from kameng.catalog.models import Category, Product, Variant
from kameng.catalog.parsing import comparable_name
from kameng.catalog.services.editing import product_columns
from kameng.catalog.services.owning import lock_products, lock_variants
from kameng.core.problems import Problem
from kameng.core.scope import require_site_id
from kameng.tenancy.services import bump_catalogue_version

# What an update may take from a list; the rest is what people write in the editor.
_PRODUCT_FIELDS: Final = ("title", "brand", "category_id")
_VARIANT_FIELDS: Final = ("cost_amount", "list_amount", "face_amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one row does: create, update, same or skip; a skip says why."""

    action: str
    adopted: Adopted
    product_id: int = 0
    variant_id: int = 0
    problem: Problem | None = None

    @property
    def is_written(self) -> bool:
        """Tell whether there is anything to write."""
        return self.action in ("create", "update")


@dataclass(slots=True, kw_only=True)
class _Known:
    """What the shelf knows of a product: enough to decide, without its texts."""

    product_id: int
    columns: dict[str, Any]
    variants: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


class Shelf:
    """The own goods by code and name, kept up to date while rows are written."""

    def __init__(self, site_id: int, *, updates_existing: bool) -> None:
        self._site_id = site_id
        self._updates_existing = updates_existing
        self._by_code: dict[str, _Known] = {}
        self._by_name: dict[str, _Known] = {}
        self._categories: dict[str, int] = {}
        self._new_categories: dict[str, None] = {}

    @classmethod
    def load(cls, site_id: int, *, updates_existing: bool) -> "Shelf":
        """Read the own goods of the site in force: three queries."""
        shelf = cls(site_id, updates_existing=updates_existing)
        shelves = Category.objects.values_list("name", "id", "site_id")
        # A sub-site's goods may stand on a shelf of the main site; one of its own comes first.
        ordered = sorted(shelves, key=lambda row: row[2] == site_id)
        shelf._categories = {name: row_id for name, row_id, _ in ordered}
        by_id: dict[int, _Known] = {}
        for row_id, code, *values in Product.objects.filter(site_id=site_id).values_list(
            "id", "code", *_PRODUCT_FIELDS
        ):
            columns = dict(zip(_PRODUCT_FIELDS, values, strict=True))
            by_id[row_id] = known = _Known(product_id=row_id, columns=columns)
            shelf._remember(code, known)
        for row_id, product_id, *values in Variant.objects.filter(site_id=site_id).values_list(
            "id", "product_id", *_VARIANT_FIELDS
        ):
            columns = dict(zip(_VARIANT_FIELDS, values, strict=True))
            by_id[product_id].variants.append((row_id, columns))
        return shelf

    def plan(self, adopted: Adopted) -> Change:
        """Decide what a row does; changes nothing."""
        known = self._by_code.get(adopted.product.code.casefold())
        known = known or self._by_name.get(comparable_name(adopted.product.title))
        if known is None or "category" in adopted.said:
            self._new_categories[adopted.category] = None
        if known is None:
            return Change(action="create", adopted=adopted)
        if not self._updates_existing:
            return Change(action="same", adopted=adopted)
        if len(known.variants) != 1:
            problem = Problem(code="several_variants")
            return Change(action="skip", adopted=adopted, problem=problem)
        variant_id, prices = known.variants[0]
        columns, amounts = self._merged(adopted, known.columns), _merged_prices(adopted, prices)
        is_same = columns == known.columns and amounts == prices
        return Change(
            action="same" if is_same else "update",
            adopted=adopted,
            product_id=known.product_id,
            variant_id=variant_id,
        )

    def new_categories(self) -> list[str]:
        """Return the names of shelves that the planned rows need and the site does not have."""
        return [name for name in self._new_categories if name not in self._categories]

    def write(self, changes: Sequence[Change]) -> list[dict[str, Any]]:
        """Write planned rows inside the caller's transaction; return what an undo needs."""
        if not changes:
            return []
        self._make_categories(changes)
        undo = self._create([each.adopted for each in changes if each.action == "create"])
        undo += self._update([each for each in changes if each.action == "update"])
        bump_catalogue_version(self._site_id)
        return undo

    def _make_categories(self, changes: Sequence[Change]) -> None:
        wanted = dict.fromkeys(
            change.adopted.category
            for change in changes
            if change.action == "create" or "category" in change.adopted.said
        )
        missing = [name for name in wanted if name not in self._categories]
        position = len(self._categories)
        made = Category.objects.bulk_create(
            [
                Category(site_id=self._site_id, name=name, position=position + number)
                for number, name in enumerate(missing)
            ]
        )
        self._categories.update({row.name: row.id for row in made})

    def _create(self, rows: Sequence[Adopted]) -> list[dict[str, Any]]:
        products = Product.objects.bulk_create(
            [
                Product(
                    site_id=self._site_id,
                    is_listed=row.is_listed,
                    **product_columns(
                        replace(row.product, category_id=self._categories[row.category])
                    ),
                )
                for row in rows
            ]
        )
        variants = Variant.objects.bulk_create(
            [
                Variant(
                    site_id=self._site_id,
                    product_id=product.id,
                    name=row.variant.name,
                    **_prices_of(row),
                )
                for product, row in zip(products, rows, strict=True)
            ]
        )
        for product, variant, row in zip(products, variants, rows, strict=True):
            columns = {name: getattr(product, name) for name in _PRODUCT_FIELDS}
            known = _Known(product_id=product.id, columns=columns)
            known.variants.append((variant.id, _prices_of(row)))
            self._remember(row.product.code, known)
        return [{"product_id": product.id} for product in products]

    def _update(self, changes: Sequence[Change]) -> list[dict[str, Any]]:
        products = {row.id: row for row in lock_products(each.product_id for each in changes)}
        variants = {row.id: row for row in lock_variants(each.variant_id for each in changes)}
        undo = []
        for change in changes:
            product, variant = products[change.product_id], variants[change.variant_id]
            columns = {name: getattr(product, name) for name in _PRODUCT_FIELDS}
            amounts = {name: getattr(variant, name) for name in _VARIANT_FIELDS}
            undo.append(
                {
                    "product_id": product.id,
                    "variant_id": variant.id,
                    "product": columns,
                    "variant": amounts,
                }
            )
            columns = self._merged(change.adopted, columns)
            amounts = _merged_prices(change.adopted, amounts)
            self._assign(product, columns)
            self._assign(variant, amounts)
            known = self._by_code.get(product.code.casefold())
            if known is not None:
                known.columns, known.variants = columns, [(variant.id, amounts)]
        Product.objects.bulk_update(list(products.values()), _PRODUCT_FIELDS)
        Product.objects.filter(id__in=list(products)).update(updated_at=Now())
        Variant.objects.bulk_update(list(variants.values()), _VARIANT_FIELDS)
        return undo

    @staticmethod
    def _assign(row: Product | Variant, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(row, name, value)

    def _merged(self, row: Adopted, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns with what the row states; the category by its id, 0 when new."""
        merged = {**columns, "title": row.product.title}
        if "brand" in row.said:
            merged["brand"] = row.product.brand
        if "category" in row.said:
            merged["category_id"] = self._categories.get(row.category, 0)
        return merged

    def _remember(self, code: str, known: _Known) -> None:
        self._by_code[code.casefold()] = known
        self._by_name[comparable_name(str(known.columns["title"]))] = known


def restore_changes(changes: Sequence[Mapping[str, Any]]) -> int:
    """Undo what `Shelf.write` did, in the caller's transaction; return how many products."""
    made = [each["product_id"] for each in changes if "product" not in each]
    changed = {each["product_id"]: each for each in changes if "product" in each}
    lock_products([*made, *changed])
    Product.objects.filter(id__in=made).update(is_listed=False, updated_at=Now())
    for product_id, each in changed.items():
        Product.objects.filter(id=product_id).update(**each["product"], updated_at=Now())
        Variant.objects.filter(id=each["variant_id"]).update(**each["variant"])
    bump_catalogue_version(require_site_id())
    return len(made) + len(changed)


def _prices_of(row: Adopted) -> dict[str, Any]:
    return {
        "cost_amount": row.variant.cost_amount,
        "list_amount": row.variant.list_amount,
        "face_amount": row.variant.face_amount,
    }


def _merged_prices(row: Adopted, amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the amounts with what the row states; the price never under the cost."""
    merged = dict(amounts)
    if "cost" in row.said:
        merged["cost_amount"] = row.variant.cost_amount
    if "list" in row.said:
        merged["list_amount"] = row.variant.list_amount
    if "face" in row.said:
        merged["face_amount"] = row.variant.face_amount
    merged["list_amount"] = max(merged["list_amount"], merged["cost_amount"])
    return merged
