"""Money: what the site's accounts hold, and the transfers behind each order."""

from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from kameng.console.chips import list_chips, name_days
from kameng.console.forms.days import Days, read_days
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
    days, zone = read_days(request.GET), site.settings.zone
    context = {
        "totals": list_site_totals(site),
        "gateway_totals": list_gateway_totals(site) if site.is_main else [],
        "page": paginate(
            request,
            lambda before_id, limit: _read(days, zone, before_id=before_id, limit=limit),
            size=PAGE_SIZE,
        ),
        "text": text,
        "days": days,
        "chips": list_chips(request.GET, name_days(days)),
        "export_query": urlencode(days.query),
    }
    return show(request, "console/ledger/list.html", context)


def _read(days: Days, zone: ZoneInfo, *, before_id: int | None, limit: int) -> list[PostedOrder]:
    found = list_posted_orders(
        since=days.since(zone), until=days.until(zone), before_id=before_id, limit=limit
    )
    return [
        PostedOrder(
            id=order.id,
            order=order,
            postings=[describe_transfer(transfer) for transfer in transfers],
        )
        for order, transfers in found
    ]
