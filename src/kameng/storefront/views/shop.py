"""Looking around: home, shelves, search, a product, its stock and its cover."""

from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kameng.catalog.errors import CategoryNotFound, ProductNotFound
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.pages.models import PageKind
from kameng.pages.shelf import (
    category_name_of,
    category_names,
    cover_url,
    cover_version,
    levels_of,
    make_cards,
)
from kameng.pricing.money import format_yuan
from kameng.storefront.frame import answer_personal, answer_shared
from kameng.storefront.views.pages import answer_around, answer_page, find_around
from kameng.web.covers import draw_cover, split_label
from kameng.web.forms import find_choice, find_text, find_whole
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest
from kameng.web.shelves import PAGE_SIZE, SORTS, list_values, product_values

QUERY_CHARS: Final = 60
FOR_GOOD: Final = "public, max-age=31536000, immutable"
FOR_NOW: Final = "public, max-age=300"


@require_safe
def home(request: KamengRequest) -> HttpResponse:
    """Show the shop's front, as its operator made it."""
    return answer_page(request, (PageKind.HOME, 0, ""), nav="home", tab="home")


def _read_sort(request: KamengRequest) -> str:
    return find_choice(request, "sort", choices=SORTS, default="")


@require_safe
def category(request: KamengRequest, category_id: int) -> HttpResponse:
    """Show one shelf. Raises `CategoryNotFound`."""
    catalogue = get_catalogue(request.site)
    found = catalogue.find_category(category_id)
    if found is None:
        raise CategoryNotFound
    products = catalogue.by_category(category_id)
    sort = _read_sort(request)
    page = _page_number(request, products)
    is_front = page == 1 and not sort
    return answer_around(
        request,
        "storefront/list.html",
        key=("category", category_id, sort, page),
        content=find_around(request.site, PageKind.CATEGORY, category_id=category_id)
        if is_front
        else None,
        build=lambda: {
            **list_values(catalogue, products, base=request.path, sort=sort, page=page),
            "title": found.name,
            "nav": category_id,
        },
    )


@require_safe
def search(request: KamengRequest) -> HttpResponse:
    """Show what fits a search, or everything when nothing is asked for."""
    catalogue = get_catalogue(request.site)
    text = find_text(request, "q", limit=QUERY_CHARS)
    if text:
        context = _found(catalogue, text, base=request.path)
        context["next_url"] = request.get_full_path()
        return answer_personal(request, "storefront/list.html", context)
    sort = _read_sort(request)
    page = _page_number(request, catalogue.products)
    return answer_shared(
        request,
        "storefront/list.html",
        key=("all", sort, page),
        build=lambda: {
            **list_values(catalogue, catalogue.products, base=request.path, sort=sort, page=page),
            "title": _("全部商品"),
            "nav": "all",
        },
    )


def _found(catalogue: Catalogue, text: str, *, base: str) -> dict[str, Any]:
    found = catalogue.search(text)
    return {
        "cards": make_cards(catalogue, found),
        "found_count": len(found),
        "total_count": len(catalogue.products),
        "title": _("搜索“%(text)s”") % {"text": text},
        "empty_title": _("没有找到“%(text)s”") % {"text": text},
        "empty_text": _("换个词，或用拼音首字母试试，比如 wzry。也可以直接看全部商品。"),
        "empty_url": base,
        "empty_action": _("看全部商品"),
        "query": text,
        "tab": "list",
    }


@require_safe
def suggest(request: KamengRequest) -> JsonResponse:
    """Offer a few products while someone types."""
    catalogue = get_catalogue(request.site)
    text = find_text(request, "q", limit=QUERY_CHARS)
    names = category_names(catalogue.categories)
    items = [
        {
            "url": reverse("storefront:product", args=(product.id,)),
            "title": product.title,
            "image_url": cover_url(product, category_name=names.get(product.category_id, "")),
            "price": format_yuan(product.lowest_amount),
        }
        for product in (catalogue.suggest(text) if text else ())
    ]
    return JsonResponse({"items": items})


@require_safe
def product(request: KamengRequest, product_id: int) -> HttpResponse:
    """Show a product. The page is kept for its levels of stock: a sale seldom draws it anew."""
    found = _get_product(request, product_id)
    levels = levels_of(found)
    chosen = _chosen_variant(request, found)
    return answer_around(
        request,
        "storefront/product.html",
        key=(product_id, levels, chosen),
        content=find_around(request.site, PageKind.PRODUCT),
        build=lambda: product_values(
            get_catalogue(request.site), found, levels=levels, chosen=chosen
        ),
    )


def _get_product(request: KamengRequest, product_id: int) -> ProductView:
    found = get_catalogue(request.site).find_product(product_id)
    if found is None:
        raise ProductNotFound
    return found


def _chosen_variant(request: KamengRequest, found: ProductView) -> int:
    """Return the position of the variant that the address names; -1 leaves the choice to us."""
    named = request.GET.get("variant", "")
    ids = [str(variant.id) for variant in found.variants]
    return ids.index(named) if named in ids else -1


@require_safe
def stock(request: KamengRequest, product_id: int) -> JsonResponse:
    """Tell how much there is of a product's variants, as far as a buyer needs to know."""
    found = _get_product(request, product_id)
    variants = [
        {"id": variant.id, "level": level.word, "most": level.most, "text": level.text}
        for variant, level in zip(found.variants, levels_of(found), strict=True)
    ]
    return JsonResponse({"variants": variants})


@open_when_suspended
@require_safe
def cover(request: KamengRequest, product_id: int, version: str) -> HttpResponse:
    """Draw a product's cover. The address names its content, so it may be kept for good."""
    found = _get_product(request, product_id)
    category_name = category_name_of(request.site, found)
    current = cover_version(found, category_name=category_name)
    etag = f'"{current}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        label, sublabel = split_label(found.title, fallback=category_name)
        svg = draw_cover(
            seed=found.id, category_key=category_name, icon="", label=label, sublabel=sublabel
        )
        response = HttpResponse(svg, content_type="image/svg+xml")
    response["ETag"] = etag
    response["Cache-Control"] = FOR_GOOD if version == current else FOR_NOW
    return response


def _page_number(request: KamengRequest, products: Sequence[ProductView]) -> int:
    """Return the page asked for; what makes no sense is the first, what is too far the last."""
    last = max(1, -(-len(products) // PAGE_SIZE))
    return min(find_whole(request, "page") or 1, last)
