"""Orders: the list with its filters, one order whole, and the queue of manual deliveries."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.selectors import list_customers_by_id
from kameng.catalog.selectors import get_catalogue
from kameng.console.answers import done
from kameng.console.chips import Chip, list_chips, name_days
from kameng.console.forms.fields import read_id
from kameng.console.forms.orders import OLDEST_FIRST, VIEWS, OrderQuery, read_order_query
from kameng.console.order_page import OrderRow, make_rows, order_context
from kameng.console.source_words import name_sources
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.insight.dashboard import list_source_words
from kameng.insight.order_search import (
    PAGE_SIZE,
    count_orders,
    find_order_by_number,
    search_orders,
)
from kameng.orders.errors import OrderNotFound
from kameng.orders.models import Order
from kameng.orders.selectors import (
    count_by_state,
    find_order_by_no,
    list_queue,
    list_recent_refunds,
    list_refused_refunds,
)
from kameng.orders.services.queueing import list_holders, take_next_order
from kameng.tenancy.selectors import SiteView

COUNT_MOST: Final = 100_000
FROM_FIGURES: Final = frozenset({"paid_from", "paid_until", "trait", "source"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTab:
    """One chip above the list: a name, its address, and how many wait there."""

    name: Any
    url: str
    is_current: bool
    count: int = 0


@console_page("orders.view")
def orders(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List orders by state, text and day; an exact number leads straight to its order."""
    query = read_order_query(request.GET)
    exact = find_order_by_number(query.text) if query.text and query.text.isascii() else None
    if exact is not None:
        return HttpResponseRedirect(reverse("console:order", args=[site.slug, exact.order_no]))
    search = query.search(site_id=site.site_id, zone=site.settings.zone)
    found = search_orders(search, before_id=read_id(request.GET.get("before")), limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]
    context = {
        "query": query,
        "count": count_orders(search, most=COUNT_MOST) if query.is_counted else None,
        "count_most": COUNT_MOST,
        "kept_hidden": [each for each in query.kept.items() if each[0] in FROM_FIGURES],
        "tabs": _tabs(query),
        "rows": make_rows(page),
        "older_url": _older_url(request, page) if len(found) > PAGE_SIZE else "",
        "newer_url": f"?{_without_before(request)}" if "before" in request.GET else "",
        "chips": _chips(request, query, site),
        "export_query": urlencode({"view": query.view, **query.kept}),
        "sort_url": _sort_url(query),
    }
    return show(request, "console/orders/list.html", context)


def _tabs(query: OrderQuery) -> list[ViewTab]:
    counts = count_by_state()
    shown = {"waiting", "refunding", "unpaid"}
    return [
        ViewTab(
            name=name,
            url="?" + urlencode({"view": key, **query.kept}),
            is_current=key == query.view,
            count=sum(counts.get(int(state), 0) for state in states) if key in shown else 0,
        )
        for key, (name, states) in VIEWS.items()
    ]


def _sort_url(query: OrderQuery) -> str:
    """Return the address of the same list the other way round, from its start."""
    kept = {"view": query.view, **query.kept}
    if kept.pop("sort", None) is None:
        kept["sort"] = OLDEST_FIRST
    return "?" + urlencode(kept)


def _chips(request: ConsoleRequest, query: OrderQuery, site: SiteView) -> list[Chip]:
    customer = product = None
    if query.customer_id is not None:
        customer = list_customers_by_id({query.customer_id}).get(query.customer_id)
    if query.product_id is not None:
        product = get_catalogue(site).find_product(query.product_id)
    named = [
        ("q", _("搜索"), query.text),
        ("customer", _("客户"), customer.nickname if customer else query.customer_id),
        ("product", _("商品"), product.title if product else query.product_id),
        ("paid_from", _("付款从"), query.paid.day_from),
        ("paid_until", _("付款到"), query.paid.day_until),
        ("trait", _("只看"), TRAIT_NAMES.get(query.trait, "")),
        ("source", _("来源"), _name_sources(query)),
    ]
    return list_chips(request.GET, [*named, *name_days(query.days)])


TRAIT_NAMES: Final = {
    "refunded": gettext_lazy("有退款"),
    "delivered": gettext_lazy("已发货"),
    "guest": gettext_lazy("游客"),
}


def _name_sources(query: OrderQuery) -> str:
    return name_sources(list_source_words(query.source_keys)) if query.source_keys else ""


def _without_before(request: ConsoleRequest) -> str:
    others = request.GET.copy()
    others.pop("before", None)
    return others.urlencode()


def _older_url(request: ConsoleRequest, page: list[Order]) -> str:
    others = request.GET.copy()
    others["before"] = str(page[-1].id)
    return f"?{others.urlencode()}"


@console_page("orders.view")
def order(request: ConsoleRequest, site: SiteView, order_no: str) -> HttpResponse:
    """Show one order: goods, money, buyer, payments, and everything that happened."""
    found = get_order_of_page(order_no)
    return show(request, "console/orders/detail.html", order_context(found, site=site))


def get_order_of_page(order_no: str) -> Order:
    """Return the order of the site in force that an address names; raise `OrderNotFound`."""
    found = find_order_by_no(order_no[:32])
    if found is None:
        raise OrderNotFound
    return found


@console_page("orders.repair")
def delivery_queue(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show paid orders that wait for a person, longest waiting first."""
    waiting = list_queue()
    holders = list_holders([order.id for order in waiting])
    rows: list[OrderRow] = make_rows(waiting)
    context = {"rows": [(row, holders.get(row.order.id, "")) for row in rows]}
    return show(request, "console/orders/queue.html", context)


@console_page("orders.repair")
def take_next(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Give the person the order that has waited longest and that nobody works on."""
    queue_url = reverse("console:delivery_queue", args=[site.slug])
    if request.method != "POST":
        return HttpResponseRedirect(queue_url)
    taken = take_next_order(actor=actor_of(request))
    if taken is None:
        return done(request, _("没有等待处理的订单。"), to=queue_url)
    return HttpResponseRedirect(
        reverse("console:order", args=[site.slug, taken.order_no]), status=303
    )


@console_page("orders.view")
def refunds(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List refunds, those that a gateway refused first."""
    before_id = read_id(request.GET.get("before"))
    found = list_recent_refunds(before_id=before_id, limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]
    older = f"?before={page[-1].id}" if len(found) > PAGE_SIZE else ""
    context = {
        "refunds": page,
        "refused": [] if before_id else list_refused_refunds(),
        "older_url": older,
        "newer_url": "?" if before_id else "",
    }
    return show(request, "console/orders/refunds.html", context)
