"""Goods: the list with its bulk acts, the editor of the owner, a sub-site's view, shelves.

What a sub-site may change of the main site's goods is what its own forms name: listing, pinning
and weight. The owner's form is not even read there.
"""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from kameng.catalog.errors import NotOwner
from kameng.catalog.inputs import load_fields
from kameng.catalog.models import DeliveryKind, Product
from kameng.catalog.own_goods import list_plan_shelf_ids, makes_goods, read_own_goods
from kameng.catalog.selectors import (
    CategoryRow,
    GoodsFilter,
    GoodsRow,
    get_catalogue,
    get_goods,
    list_categories,
    list_goods,
)
from kameng.catalog.services.editing import (
    create_product,
    move_products,
    update_product,
)
from kameng.catalog.services.listing import set_listed, set_pinned, set_weight
from kameng.catalog.services.own_goods import require_maker
from kameng.console.answers import done, run_form, status_of
from kameng.console.chips import Chip, list_chips
from kameng.console.errors import PermissionMissing
from kameng.console.forms.fields import read_id, read_ids
from kameng.console.forms.goods import (
    GOODS_OWNERS,
    GOODS_STATES,
    MAX_NEW_VARIANTS,
    InputFieldSet,
    ListingForm,
    NewVariantSet,
    ProductForm,
    input_values,
    product_values,
    read_goods_filter,
    read_inputs,
)
from kameng.console.own_earnings import Earning, own_earning
from kameng.console.paging import read_number, read_page
from kameng.console.price_trace import trace_goods
from kameng.console.views.frame import (
    ConsoleRequest,
    actor_of,
    console_page,
    may_see_costs,
    show,
)
from kameng.core.errors import Refusal
from kameng.inventory.selectors import stock_of
from kameng.pricing.money import ZERO
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import read_choice

PAGE_SIZE = 50
LISTING_ACTS = ("list", "unlist", "pin", "unpin", "weigh")


@console_page("goods.view")
def goods(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List what the site owns and resells, by search and filters."""
    return _goods_page(request, site)


def _goods_page(
    request: ConsoleRequest, site: SiteView, *, problem: str = "", status: int = 200
) -> HttpResponse:
    filters = read_goods_filter(request.GET)
    offset = (read_number(request.GET) - 1) * PAGE_SIZE
    found = list_goods(filters, offset=offset, limit=PAGE_SIZE)
    ids = [each.variant.id for row in found.rows for each in row.variants]
    stocks = stock_of(ids)
    categories = list_categories()
    context = {
        "rows": [(row, _stocks_of(row, stocks)) for row in found.rows],
        "filters": filters,
        "states": GOODS_STATES,
        "kinds": DeliveryKind.choices,
        "categories": categories,
        "own_categories": _shelves_for_own(site, categories),
        "own_goods": read_own_goods(site),
        "owners": GOODS_OWNERS,
        "page": read_page(request.GET, size=PAGE_SIZE, total_count=found.total_count),
        "chips": _chips(request, filters, categories),
        "problem": problem,
        "query": request.GET.urlencode(),
        "sorts": {
            "title": _sort_link(request, filters.order, "title"),
            "sold": _sort_link(request, filters.order, "-sold"),
        },
    }
    return show(request, "console/goods/list.html", context, status=status)


def _chips(
    request: ConsoleRequest, filters: GoodsFilter, categories: list[CategoryRow]
) -> list[Chip]:
    owner = GOODS_OWNERS[filters.owner] if filters.owner else ""
    shelf = next((each for each in categories if each.category.id == filters.category_id), None)
    kinds = dict(DeliveryKind.choices)
    named = [
        ("q", _("搜索"), filters.text),
        ("category", _("分类"), shelf.category.name if shelf else filters.category_id),
        ("owner", _("来源"), owner),
        ("kind", _("发货方式"), kinds[filters.delivery_kind] if filters.delivery_kind else ""),
    ]
    return list_chips(request.GET, named)


def _shelves_for_own(site: SiteView, categories: list[CategoryRow]) -> list[CategoryRow]:
    """Return the shelves on which own goods may stand: on a sub-site those of the main one too."""
    if not makes_goods(site):
        return []
    away = set() if site.is_main else list_plan_shelf_ids()
    return [
        each
        for each in categories
        if each.is_own or each.category.is_listed and each.category.id not in away
    ]


def _sort_link(request: ConsoleRequest, order: str, column: str) -> dict[str, str]:
    """Return where the heading of a column leads, and how it is sorted now.

    One press sorts as the column says, the next the other way, the third as the shop shows goods.
    """
    name = column.lstrip("-")
    turned = name if column.startswith("-") else f"-{name}"
    following = {column: turned, turned: ""}.get(order, column)
    query = request.GET.copy()
    for key in ("sort", "page"):
        query.pop(key, None)
    if following:
        query["sort"] = following
    is_sorted = order.lstrip("-") == name and bool(order)
    state = ("descending" if order.startswith("-") else "ascending") if is_sorted else "none"
    return {"url": f"?{query.urlencode()}", "state": state}


def _stocks_of(row: GoodsRow, stocks: dict[int, Any]) -> Any:
    """Return the stock of the variant that has least, or None when nothing is counted."""
    found = [stocks[each.variant.id] for each in row.variants if each.variant.id in stocks]
    counted = [stock for stock in found if stock.is_counted]
    return min(counted, key=lambda stock: stock.count, default=None)


@require_POST
@console_page("goods.edit")
def act_on_goods(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List, unlist, pin, unpin or move the ticked products."""
    ids = read_ids(request.POST.getlist("id"))
    back = reverse("console:goods", args=[site.slug])
    query = request.META.get("QUERY_STRING", "")
    if not ids:
        return _goods_page(request, site, problem=_("请先勾选商品。"), status=400)
    try:
        count = _act(request, request.POST.get("action", ""), ids)
    except Refusal as refusal:
        return _goods_page(request, site, problem=refusal.text(), status=refusal.status)
    if count is None:
        return _goods_page(request, site, problem=_("请选择要做什么。"), status=400)
    text = ngettext("已更新 %(count)s 个商品。", "已更新 %(count)s 个商品。", count)
    return done(request, text % {"count": count}, to=f"{back}?{query}" if query else back)


def _act(request: ConsoleRequest, action: str, ids: list[int]) -> int | None:
    actor = actor_of(request)
    if action in ("list", "unlist"):
        return set_listed(ids, is_listed=action == "list", actor=actor)
    if action in ("pin", "unpin"):
        return set_pinned(ids, is_pinned=action == "pin", actor=actor)
    category_id = read_id(request.POST.get("category_id"))
    if action == "move" and category_id is not None:
        return move_products(ids, category_id=category_id, actor=actor)
    return None


@console_page("goods.edit")
def new_product(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Make a product with its first face values."""
    require_maker()
    data = request.POST if request.method == "POST" else None
    form = ProductForm(data, categories=_shelves(site), initial=_BLANK)
    inputs = InputFieldSet(data, prefix="inputs")
    variants = _variant_set(site, data)

    def act() -> Any:
        return create_product(
            form.draft(read_inputs(inputs)),
            variants=[each.draft() for each in variants.forms if each.has_changed()],
            is_listed=request.POST.get("is_listed") == "on",
            actor=actor_of(request),
        )

    if data is not None:
        product = run_form(form, act, inputs, variants)
        if product is not None:
            url = reverse("console:product", args=[site.slug, product.id])
            return done(request, _("商品已添加。"), to=url)
    context = {
        "form": form,
        "inputs": inputs,
        "new_variants": variants,
        "own_goods": read_own_goods(site),
    }
    return show(request, "console/goods/new.html", context, status=status_of(form))


def _shelves(site: SiteView, *, of: Product | None = None) -> list[CategoryRow]:
    """Return the shelves to choose from, with the one on which a product stands already."""
    rows = list_categories()
    allowed = {each.category.id for each in _shelves_for_own(site, rows)}
    here = of.category_id if of is not None else None
    return [row for row in rows if row.category.id in allowed or row.category.id == here]


def _variant_set(site: SiteView, data: QueryDict | None) -> Any:
    return NewVariantSet(data, prefix="variants", form_kwargs={"is_main": site.is_main})


_BLANK = {
    "delivery_kind": DeliveryKind.CARD.value,
    "min_quantity": "1",
    "max_quantity": "100",
    "weight": "0",
}


@console_page("goods.view")
def product(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Show a product: the owner's editor, or a sub-site's own view of it."""
    row = get_goods(product_id)
    can_edit = request.person.can("goods.edit", site.site_id)
    if request.method == "POST" and not can_edit:
        raise PermissionMissing
    if request.method == "POST" and not row.is_own:
        raise NotOwner
    if not row.is_own:
        return _shown_listing(request, site, row)
    data = request.POST if request.method == "POST" else None
    stored = row.product
    form = ProductForm(data, categories=_shelves(site, of=stored), initial=product_values(stored))
    fields = load_fields(stored.input_fields)
    inputs = InputFieldSet(data, prefix="inputs", initial=input_values(fields))

    def act() -> Any:
        draft = form.draft(read_inputs(inputs))
        return update_product(product_id, draft=draft, actor=actor_of(request))

    if data is not None and run_form(form, act, inputs) is not None:
        return done(request, _("已保存。"), to=request.path)
    context = _product_context(request, site, row) | {
        "form": form,
        "inputs": inputs,
        "can_edit": can_edit,
        "typed": {name: form[name].value() or "" for name in form.fields},
        "tags": stored.tags,
        "own_goods": read_own_goods(site),
    }
    return show(request, "console/goods/edit.html", context, status=status_of(form))


def _product_context(request: ConsoleRequest, site: SiteView, row: GoodsRow) -> dict[str, Any]:
    ids = [each.variant.id for each in row.variants]
    stocks = stock_of(ids)
    # Who runs the platform reads the whole chain on any site; an operator from what the site pays.
    sees_all = row.is_own or may_see_costs(request)
    return {
        "row": row,
        "product": row.product,
        "fields": load_fields(row.product.input_fields),
        "delivery_label": DeliveryKind(row.product.delivery_kind).label,
        "shelf": get_catalogue(site).find_product(row.product.id),
        "variants": [
            (
                each,
                stocks.get(each.variant.id),
                trace_goods(each.unit, site=site, is_own=row.is_own, sees_all=sees_all),
            )
            for each in row.variants
        ],
    }


def _shown_listing(request: ConsoleRequest, site: SiteView, row: GoodsRow) -> HttpResponse:
    context = _product_context(request, site, row) | {
        "form": ListingForm(initial={"weight": row.weight - row.product.weight})
    }
    return show(request, "console/goods/resold.html", context)


@require_POST
@console_page("goods.edit")
def list_product(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """List or unlist, pin or unpin one product, or weigh it, on this site."""
    action, actor = read_choice(request, "action", choices=LISTING_ACTS), actor_of(request)
    back = reverse("console:product", args=[site.slug, product_id])
    if action == "weigh":
        form = ListingForm(request.POST)
        weighed = run_form(
            form, lambda: set_weight([product_id], weight=form.cleaned_data["weight"], actor=actor)
        )
        if weighed is None:
            context = _product_context(request, site, get_goods(product_id)) | {"form": form}
            return show(request, "console/goods/resold.html", context, status=400)
        return done(request, _("已保存。"), to=back)
    count = _act(request, action, [product_id])
    return done(request, _("已保存。") if count else _("没有改动。"), to=back)


@require_POST
@console_page("goods.edit")
def preview_product(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Draw the card and the page of what is being typed, checked or not."""
    form = ProductForm(request.POST, categories=_shelves(site))
    inputs = InputFieldSet(request.POST, prefix="inputs")
    form.is_valid()
    fields = read_inputs(inputs) if inputs.is_valid() else ()
    typed = {name: request.POST.get(name, "")[:8000] for name in form.fields}
    kind = read_id(typed["delivery_kind"])
    typed_tags = typed["tags"].replace("，", ",").replace("、", ",").split(",")
    context = {
        "typed": typed,
        "tags": [tag.strip() for tag in typed_tags if tag.strip()][:6],
        "fields": fields,
        "delivery_label": DeliveryKind(kind).label if kind in DeliveryKind.values else "",
        "shelf": get_catalogue(site).find_product(read_id(request.POST.get("product_id")) or 0),
        "earnings": _typed_earnings(request, site),
    }
    return show(request, "console/goods/preview.html", context)


def _typed_earnings(request: ConsoleRequest, site: SiteView) -> list[Earning]:
    """Return what each typed face value brings a sub-site's operator; none on the main site."""
    own_goods = read_own_goods(site)
    if own_goods is None or "variants-TOTAL_FORMS" not in request.POST:
        return []
    rows = _variant_set(site, request.POST)
    rows.is_valid()
    found = []
    for row in rows.forms[:MAX_NEW_VARIANTS]:
        price = row.cleaned_data.get("list_amount") if row.is_bound and row.has_changed() else None
        if price is not None:
            cost = row.cleaned_data.get("cost_amount") or ZERO
            name = row.cleaned_data.get("name", "")
            found.append(own_earning(name, price=price, cost=cost, share_bps=own_goods.share_bps))
    return found
