"""The ledger's accounts: what each holds, its statement with what stands behind each line."""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import get_customer
from kameng.console.errors import PermissionMissing
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.audit import record
from kameng.insight.accounts import LedgerAccount, find_account, list_accounts
from kameng.ledger.accounts import ACCOUNT_NAMES, AccountKind, Reference, wallet_of
from kameng.risk.services import admit_export
from kameng.tenancy.selectors import SiteView, list_children
from kameng.web.forms import read_choice
from kameng.web.pagination import paginate
from kameng.web.statements import (
    FORMS,
    Span,
    StatementFile,
    StatementLine,
    read_lines,
    read_span,
    read_sums,
    write_statement,
)

PAGE_SIZE = 50
# The page of what stands behind a transfer, by its printed number or by its key.
BY_NUMBER: Final[Mapping[int, str]] = {
    Reference.ORDER: "console:order",
    Reference.TOP_UP: "console:top_up",
    Reference.WITHDRAWAL: "console:withdrawal",
}
BY_ID: Final[Mapping[int, str]] = {
    Reference.CASE: "console:case",
    Reference.DISPUTE: "console:dispute",
}


@console_page("money.view")
def accounts(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the accounts of the site and of its gateways with what they hold."""
    found = list_accounts(site)
    context = {
        "own": [each for each in found if not each.owner],
        "of_gateways": [each for each in found if each.owner],
    }
    return show(request, "console/money/accounts.html", context)


@console_page("money.view")
def account(request: ConsoleRequest, site: SiteView, kind: int, owner_id: int) -> HttpResponse:
    """Show the statement of one account."""
    found = _account_of_page(site, kind, owner_id)
    title = f"{found.owner} · {found.name}" if found.owner else str(found.name)
    urls = {
        "back_url": reverse("console:accounts", args=[site.slug]),
        "file_url": reverse("console:account_file", args=[site.slug, kind, owner_id]),
    }
    return _statement_page(request, site, found.number, title=title, **urls)


@console_page("money.view")
def wallet_statement(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Show the statement of a customer's wallet."""
    customer = get_customer(customer_id)
    title = f"{customer.nickname} · {ACCOUNT_NAMES[AccountKind.WALLET]}"
    urls = {
        "back_url": reverse("console:customer", args=[site.slug, customer_id]),
        "file_url": reverse("console:wallet_statement_file", args=[site.slug, customer_id]),
    }
    return _statement_page(request, site, wallet_of(customer_id), title=title, **urls)


def _account_of_page(site: SiteView, kind: int, owner_id: int) -> LedgerAccount:
    found = find_account(site, kind=kind, owner_id=owner_id)
    if found is None:
        raise Http404
    return found


def _span_of(request: ConsoleRequest, site: SiteView) -> Span:
    named = request.GET
    return read_span(named.get("from", ""), named.get("until", ""), zone=site.settings.zone)


def _statement_page(
    request: ConsoleRequest, site: SiteView, number: int, *, title: str, **urls: str
) -> HttpResponse:
    span = _span_of(request, site)
    page = paginate(
        request,
        lambda before_id, limit: read_lines(
            number, period=span.period, before_id=before_id, limit=limit
        ),
        size=PAGE_SIZE,
    )
    children = _children_behind(page.rows, request, site)
    context = {
        "title": title,
        "span": span,
        "sums": read_sums(number, period=span.period),
        "page": page,
        "rows": [
            (line, _behind_url(line, site) or _child_url(line, children, site))
            for line in page.rows
        ],
        "export_query": f"from={span.day_from}&until={span.day_until}",
        **urls,
    }
    return show(request, "console/money/statement.html", context)


def _behind_url(line: StatementLine, site: SiteView) -> str:
    behind = line.behind
    # What a child site did is named on its upline's statement; its pages are its own.
    if behind is None or (behind.site_slug != site.slug and not site.is_main):
        return ""
    if behind.kind == Reference.PREPAID:
        return reverse("console:prepaid", args=[behind.site_slug])
    if behind.kind in BY_ID:
        return reverse(BY_ID[behind.kind], args=[behind.site_slug, behind.reference_id])
    if behind.kind in BY_NUMBER:
        return reverse(BY_NUMBER[behind.kind], args=[behind.site_slug, behind.number])
    return ""


def _children_behind(
    lines: Sequence[StatementLine], request: ConsoleRequest, site: SiteView
) -> frozenset[int]:
    """Return the children whose pages lines may lead to: below the site today, for who sees them.

    One that has moved to another upline since is nobody's here any more.
    """
    sold = {line.behind.site_id for line in lines if line.behind is not None} - {site.site_id}
    if not sold or site.is_main or not request.person.can("children.manage", site.site_id):
        return frozenset()
    return frozenset(child.id for child in list_children(site.site_id)) & sold


def _child_url(line: StatementLine, children: frozenset[int], site: SiteView) -> str:
    """Return the page of the child that sold, for its upline: orders and buyers are the child's."""
    behind = line.behind
    if behind is None or behind.kind != Reference.ORDER or behind.site_id not in children:
        return ""
    return reverse("console:child", args=[site.slug, behind.site_id])


@require_POST
@console_page("data.export")
@confirmed
def account_file(
    request: ConsoleRequest, site: SiteView, kind: int, owner_id: int
) -> HttpResponseBase:
    """Give the statement of an account as a file."""
    found = _account_of_page(site, kind, owner_id)
    name = f"{found.owner} {found.name}".strip()
    return _send(request, site, found.number, name=name, code=f"account-{kind}-{owner_id}")


@require_POST
@console_page("data.export")
@confirmed
def wallet_statement_file(
    request: ConsoleRequest, site: SiteView, customer_id: int
) -> HttpResponseBase:
    """Give the statement of a wallet as a file."""
    customer = get_customer(customer_id)
    code = f"wallet-{customer_id}"
    return _send(request, site, wallet_of(customer_id), name=customer.nickname, code=code)


def _send(
    request: ConsoleRequest, site: SiteView, number: int, *, name: str, code: str
) -> HttpResponseBase:
    if not request.person.can("money.view", site.site_id):
        raise PermissionMissing
    form, actor = read_choice(request, "format", choices=FORMS), actor_of(request)
    admit_export(f"{actor.kind}:{actor.actor_id}")
    span = _span_of(request, site)
    wanted = StatementFile(
        account=number, title=_("%(name)s 对账单") % {"name": name}, owner=site.name, span=span
    )
    file, count = write_statement(form, wanted)
    with transaction.atomic():
        record(
            "data.exported",
            actor=actor,
            site_id=site.site_id,
            subject=("list", code),
            detail={"list": wanted.title, "format": form, "count": count},
        )
    filename = f"{site.slug}-{code}-{span.day_from:%Y%m%d}-{span.day_until:%Y%m%d}.{form}"
    if isinstance(file, bytes):
        response: HttpResponseBase = HttpResponse(file, content_type=FORMS[form])
        response["Content-Disposition"] = f'attachment; filename="{filename}"'
    else:
        response = FileResponse(
            file, as_attachment=True, filename=filename, content_type=FORMS[form]
        )
    response["Cache-Control"] = "no-store"
    return response
