"""Money: what the site's accounts hold, and the transfers behind each order."""

from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from kameng.console.order_page import Posting, describe_transfer
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.insight.balances import (
    list_gateway_totals,
    list_posted_orders,
    list_site_totals,
)
from kameng.insight.order_search import find_order_by_number
from kameng.orders.models import Order
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_text
from kameng.web.pagination import paginate

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedOrder:
    """One order with its transfers in words."""

    id: int
    order: Order
    postings: list[Posting]


@console_page("money.view")
def ledger(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show totals and, order by order, how the money was posted."""
    text = find_text(request, "q", limit=64)
    exact = find_order_by_number(text) if text else None
    if exact is not None:
        return HttpResponseRedirect(reverse("console:order", args=[site.slug, exact.order_no]))
    context = {
        "totals": list_site_totals(site),
        "gateway_totals": list_gateway_totals(site) if site.is_main else [],
        "page": paginate(request, _read, size=PAGE_SIZE),
        "text": text,
    }
    return show(request, "console/ledger/list.html", context)


def _read(before_id: int | None, limit: int) -> list[PostedOrder]:
    return [
        PostedOrder(
            id=order.id,
            order=order,
            postings=[describe_transfer(transfer) for transfer in transfers],
        )
        for order, transfers in list_posted_orders(before_id=before_id, limit=limit)
    ]
