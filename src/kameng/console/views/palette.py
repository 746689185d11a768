"""Ctrl-K: any page, order, product, customer or site by a few characters, any printed number."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import list_customers
from kameng.catalog.selectors import get_catalogue
from kameng.console.navigation import build_links, list_pages
from kameng.console.views.frame import ConsoleRequest, console_page
from kameng.insight.numbers import find_carriers
from kameng.insight.order_search import OrderSearch, search_orders
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.site_lists import list_sites_newest

TEXT_MAX = 60
EACH = 5
Item = dict[str, str]


@console_page("overview.view")
def palette(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Answer {groups: [{name, items: [{url, title, note, icon}]}]} for `q`."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:TEXT_MAX]
    groups = [{"name": _("页面"), "items": _pages(request, site, text)}]
    if text:
        finders = (
            ("orders.view", _("号码"), _numbers(request)),
            ("orders.view", _("订单"), _orders),
            ("goods.view", _("商品"), _goods),
            ("customers.view", _("客户"), _customers),
        )
        for permission, name, find in finders:
            if request.person.can(permission, site.site_id):
                groups.append({"name": name, "items": find(site, text)})
        groups.append({"name": _("站点"), "items": _sites(request, text)})
    return JsonResponse({"groups": [group for group in groups if group["items"]]})


def _pages(request: ConsoleRequest, site: SiteView, text: str) -> list[Item]:
    links = build_links(site=site, path="", can=lambda name: request.person.can(name, site.site_id))
    wanted = text.lower()
    return [
        {"url": page.url, "title": str(page.label), "icon": page.icon}
        for page in list_pages(links)
        if wanted in str(page.label).lower() or wanted in page.route
    ]


CARRIERS: dict[str, tuple[Any, str, str, str]] = {
    "order": (gettext_lazy("订单"), "order", "orders.view", "clipboard-list"),
    "payment": (gettext_lazy("支付"), "payment", "orders.view", "credit-card"),
    "refund": (gettext_lazy("退款"), "payment", "orders.view", "receipt-refund"),
    "top_up": (gettext_lazy("充值"), "customer", "customers.view", "wallet"),
    "case": (gettext_lazy("差异单"), "case", "money.reconcile", "report-money"),
}


def _numbers(request: ConsoleRequest) -> Callable[[SiteView, str], list[Item]]:
    """Return a finder of whatever carries a whole number that is printed somewhere."""

    def find(site: SiteView, text: str) -> list[Item]:
        items = []
        for carrier in find_carriers(text):
            name, route, permission, icon = CARRIERS[carrier.kind]
            if request.person.can(permission, site.site_id):
                url = reverse(f"console:{route}", args=[site.slug, carrier.opens])
                title = f"{name} {carrier.number}"
                items.append({"url": url, "title": title, "note": carrier.number, "icon": icon})
        return items

    return find


def _orders(site: SiteView, text: str) -> list[Item]:
    if len(text) < 2:
        return []
    found = search_orders(OrderSearch(site_id=site.site_id, text=text), limit=EACH)
    return [
        {
            "url": reverse("console:order", args=[site.slug, order.order_no]),
            "title": order.title,
            "note": order.order_no,
            "icon": "clipboard-list",
        }
        for order in found
    ]


def _goods(site: SiteView, text: str) -> list[Item]:
    return [
        {
            "url": reverse("console:product", args=[site.slug, product.id]),
            "title": product.title,
            "note": product.brand,
            "icon": "package",
        }
        for product in get_catalogue(site).search(text)[:EACH]
    ]


def _customers(site: SiteView, text: str) -> list[Item]:
    return [
        {
            "url": reverse("console:customer", args=[site.slug, customer.id]),
            "title": customer.nickname,
            "note": customer.login_hint,
            "icon": "user",
        }
        for customer in list_customers(text=text, limit=EACH)
    ]


def _sites(request: ConsoleRequest, text: str) -> list[Item]:
    person: Any = request.person
    if not (request.site.is_main and isinstance(person, StaffPerson) and person.is_platform):
        return []
    return [
        {
            "url": reverse("console:overview", args=[row.slug]),
            "title": row.name,
            "note": row.slug,
            "icon": "building-store",
        }
        for row in list_sites_newest(text=text, limit=EACH)
    ]
