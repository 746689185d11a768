"""Face values of a product of one's own, each on a page with the price that follows as you type."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.errors import NotOwner, VariantNotFound
from kameng.catalog.models import DeliveryKind
from kameng.catalog.own_goods import read_own_goods
from kameng.catalog.selectors import GoodsRow, get_goods
from kameng.catalog.services.editing import add_variant, update_variant
from kameng.console.answers import done, run_form, see_other, status_of
from kameng.console.forms.goods import PlanVariantForm, StockForm, VariantForm, variant_values
from kameng.console.own_earnings import own_earning
from kameng.console.price_trace import trace_goods
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.inventory.selectors import find_level
from kameng.inventory.services.levels import set_stock_level
from kameng.pricing.markups import WholesalePlan
from kameng.pricing.money import ZERO, Amount, MoneyInvalid
from kameng.pricing.quote import quote_unit
from kameng.tenancy.selectors import SiteView, list_plans
from kameng.web.flash import flash


@console_page("goods.edit")
def new_variant(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Add a face value to a product of one's own."""
    row = _own_goods(product_id)
    form = _form(row, request.POST if request.method == "POST" else None, site=site)
    if form.is_bound:
        made = run_form(
            form, lambda: add_variant(product_id, draft=form.draft(), actor=actor_of(request))
        )
        if made is not None:
            return done(request, _("规格已添加。"), to=_product_url(site, product_id))
    context = {"form": form, "row": row, "product": row.product}
    context |= {"own_goods": read_own_goods(site)}
    return show(request, "console/goods/variant.html", context, status=status_of(form))


@console_page("goods.edit")
def variant(
    request: ConsoleRequest, site: SiteView, product_id: int, variant_id: int
) -> HttpResponse:
    """Change a face value, its prices, and whether it is sold."""
    row = _own_goods(product_id)
    found = next((each for each in row.variants if each.variant.id == variant_id), None)
    if found is None:
        raise VariantNotFound
    data = request.POST if request.method == "POST" else None
    form = _form(row, data, site=site, initial=variant_values(found.variant))
    if form.is_bound:
        saved = run_form(
            form, lambda: update_variant(variant_id, draft=form.draft(), actor=actor_of(request))
        )
        if saved is not None:
            return done(request, _("已保存，价格马上生效。"), to=_product_url(site, product_id))
    trace = trace_goods(found.unit, site=site, is_own=True)
    stored = found.variant
    context = {"form": form, "row": row, "product": row.product, "found": found, "trace": trace}
    cost, price = Amount(stored.cost_amount), Amount(stored.list_amount)
    context |= _preview_context(site, cost=cost, price=price) | {"own_goods": read_own_goods(site)}
    if row.product.delivery_kind not in {DeliveryKind.CARD, DeliveryKind.SITE_PLAN}:
        context["stock_form"] = StockForm(initial={"available_count": find_level(variant_id)})
    return show(request, "console/goods/variant.html", context, status=status_of(form))


def _form(row: GoodsRow, data: Any, *, site: SiteView, **options: Any) -> VariantForm:
    """Return the form of a face value, or of a plan for a time."""
    if row.product.delivery_kind == DeliveryKind.SITE_PLAN:
        return PlanVariantForm(data, plans=list_plans(), **options)
    return VariantForm(data, is_main=site.is_main, **options)


@require_POST
@console_page("goods.edit")
def set_stock(
    request: ConsoleRequest, site: SiteView, product_id: int, variant_id: int
) -> HttpResponse:
    """Set how many pieces of a service may be sold, or lift the limit."""
    form = StockForm(request.POST)
    back = reverse("console:variant", args=[site.slug, product_id, variant_id])

    def act() -> bool:
        count = form.cleaned_data["available_count"]
        set_stock_level(variant_id, available_count=count, actor=actor_of(request))
        return True

    if run_form(form, act) is None:
        problem = next(iter(form.errors.values()))[0]
        flash(request, str(problem), "error")
        return see_other(back)
    return done(request, _("库存已保存。"), to=back)


@require_POST
@console_page("goods.edit")
def preview_variant(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show what the typed prices mean: here, and as the wholesale price of each plan."""
    form = VariantForm(request.POST)
    form.is_valid()
    cost = form.cleaned_data.get("cost_amount")
    price = form.cleaned_data.get("list_amount")
    context: dict[str, object] = {"form": form}
    if cost is not None and price is not None:
        context |= _preview_context(site, cost=cost, price=price)
    return show(request, "console/goods/variant_preview.html", context)


def _preview_context(site: SiteView, *, cost: Amount, price: Amount) -> dict[str, object]:
    own_goods = read_own_goods(site)
    if own_goods is not None:
        share_bps = own_goods.share_bps
        return {"earnings": [own_earning("", price=price, cost=cost, share_bps=share_bps)]}
    return {"cost": cost, "price": price, "plans": _plan_prices(cost, price)}


def _plan_prices(cost: Amount, price: Amount) -> list[tuple[str, int, int]]:
    """Return each plan with its wholesale price and what is left of the list price above it."""
    found = []
    for plan in list_plans():
        terms = WholesalePlan(
            markup_bps=plan.wholesale_markup_bps,
            minimum_margin_amount=Amount(plan.wholesale_minimum_amount),
        )
        try:
            unit = quote_unit(cost_amount=cost, list_amount=price, plan=terms)
        except MoneyInvalid:
            continue
        left = max(price - unit.wholesale_amount, ZERO)
        found.append((plan.name, int(unit.wholesale_amount), int(left)))
    return found


def _own_goods(product_id: int) -> GoodsRow:
    row = get_goods(product_id)
    if not row.is_own:
        raise NotOwner
    return row


def _product_url(site: SiteView, product_id: int) -> str:
    return reverse("console:product", args=[site.slug, product_id])
