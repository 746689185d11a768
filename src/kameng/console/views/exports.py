"""Taking a list away as a file: whoever may see the list and may export, never silently.

Each file is written whole before its first byte is sent, so that a fault is a page and not half a
file; the audit log names who took which list, how many rows, and by which filters.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import FileResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import get_customer
from kameng.console.errors import PermissionMissing
from kameng.console.exports import (
    Export,
    export_customers,
    export_ledger,
    export_orders,
    export_payments,
    export_wallet,
)
from kameng.console.exports_money import export_disputes, export_refunds, export_top_ups
from kameng.console.forms.days import read_days
from kameng.console.forms.orders import read_order_query
from kameng.console.sheets import TYPES, write_sheet
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page
from kameng.console.views.payments import read_payment_filter
from kameng.console.views.sent_refunds import VIEWS
from kameng.core import clock
from kameng.core.audit import record
from kameng.risk.services import admit_export
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice, find_text, read_choice

EXPORT = "data.export"
PIECE_BYTES = 65_536
QUIET = frozenset({"q"})  # what was searched for may be somebody's contact


@require_POST
@console_page(EXPORT)
@confirmed
def orders_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the orders of the list."""
    _require(request, site, "orders.view")
    return send_export(request, site, export_orders(read_order_query(request.GET), site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def payments_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the payments of the list."""
    _require(request, site, "orders.view")
    wanted = read_payment_filter(request, zone=site.settings.zone)
    return send_export(request, site, export_payments(wanted, site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def ledger_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give every transfer of the days shown."""
    _require(request, site, "money.view")
    return send_export(request, site, export_ledger(read_days(request.GET), site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def customers_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the customers of the list."""
    _require(request, site, "customers.view")
    text = find_text(request, "q", limit=120)
    return send_export(request, site, export_customers(text, site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def wallet_file(request: ConsoleRequest, site: SiteView, customer_id: int) -> FileResponse:
    """Give the statement of one customer's wallet."""
    _require(request, site, "customers.view")
    return send_export(request, site, export_wallet(get_customer(customer_id).id, site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def refunds_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the refunds through gateways of the list."""
    _require(request, site, "orders.view")
    state = VIEWS[find_choice(request, "view", choices=VIEWS, default="all")][1]
    return send_export(request, site, export_refunds(state, site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def disputes_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the disputes."""
    _require(request, site, "orders.view")
    return send_export(request, site, export_disputes(site=site))


@require_POST
@console_page(EXPORT)
@confirmed
def top_ups_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the top-ups."""
    _require(request, site, "orders.view")
    return send_export(request, site, export_top_ups(site=site))


def _require(request: ConsoleRequest, site: SiteView, permission: str) -> None:
    if not request.person.can(permission, site.site_id):
        raise PermissionMissing


def send_export(request: ConsoleRequest, site: SiteView, export: Export) -> FileResponse:
    """Write a list and give it away, audited."""
    form, actor = read_choice(request, "format", choices=TYPES), actor_of(request)
    admit_export(f"{actor.kind}:{actor.actor_id}")
    file, count = write_sheet(form, name=export.name, columns=export.columns, rows=export.rows)
    detail = {"list": export.name, "format": form, "count": count}
    detail |= {"filters": _filters(request.GET)}
    with transaction.atomic():
        record(
            "data.exported",
            actor=actor,
            site_id=site.site_id,
            subject=("list", export.code),
            detail=detail,
        )
    when = timezone.localtime(clock.now())
    name = f"{site.slug}-{export.code}-{when:%Y%m%d-%H%M%S}.{form}"
    response = FileResponse(file, as_attachment=True, filename=name, content_type=TYPES[form])
    response["Cache-Control"] = "no-store"
    response.block_size = PIECE_BYTES
    return response


def _filters(query: Mapping[str, Any]) -> str:
    """Return the filters as the log keeps them."""
    named = ((name, "…" if name in QUIET else str(query[name])[:40]) for name in sorted(query))
    return " ".join(f"{name[:20]}={value}" for name, value in named if value)[:200]
