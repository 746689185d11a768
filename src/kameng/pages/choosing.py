"""Which goods a `products` field means on a site. Pure: a catalogue in, products out."""

from collections.abc import Callable, Sequence
from typing import Final

from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.pages.fields import Props

Choice = Callable[[Props, Catalogue], Sequence[ProductView]]


def choose_products(source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    """Return the goods that a source names, at most as many as it says. Unlisted ones are gone."""
    return _CHOICES[source["by"]](source, catalogue)[: source["most"]]


def _pinned(_source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return catalogue.list_pinned()


def _hot(source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return catalogue.list_hot(source["most"])


def _new(_source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return sorted(catalogue.products, key=lambda product: -product.id)


def _cheap(_source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return sorted(catalogue.products, key=lambda product: product.lowest_amount)


def _category(source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return catalogue.by_category(source["id"])


def _tag(source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    wanted = source["tag"].strip()
    return [product for product in catalogue.products if wanted in product.tags]


def _hand(source: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    found = (catalogue.find_product(product_id) for product_id in source["ids"])
    return [product for product in found if product is not None]


_CHOICES: Final[dict[str, Choice]] = {
    "pinned": _pinned,
    "hot": _hot,
    "new": _new,
    "cheap": _cheap,
    "category": _category,
    "tag": _tag,
    "hand": _hand,
}
