"""The statement of a customer's own wallet: a page for some days, and the same as a file."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kameng.ledger.accounts import wallet_of
from kameng.risk.services import admit_export
from kameng.storefront.frame import answer_personal, customer_id_of, customer_page
from kameng.web.forms import find_choice
from kameng.web.middleware.people import open_when_suspended
from kameng.web.pagination import paginate
from kameng.web.requests import KamengRequest
from kameng.web.statements import (
    FORMS,
    Span,
    StatementFile,
    read_buyer_lines,
    read_span,
    read_sums,
    write_statement,
)


def _span(request: KamengRequest) -> Span:
    named = request.GET
    zone = request.site.settings.zone
    return read_span(named.get("from", ""), named.get("until", ""), zone=zone)


@open_when_suspended
@require_safe
@customer_page
def wallet_statement(request: KamengRequest) -> HttpResponse:
    """Show opening, every movement with the balance after it, and closing."""
    account, span = wallet_of(customer_id_of(request)), _span(request)
    page = paginate(
        request,
        lambda before_id, limit: read_buyer_lines(
            account, period=span.period, before_id=before_id, limit=limit
        ),
    )
    context = {
        "span": span,
        "sums": read_sums(account, period=span.period),
        "lines": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "tab": "me",
    }
    return answer_personal(request, "storefront/statement.html", context)


@open_when_suspended
@require_safe
@customer_page
def wallet_statement_file(request: KamengRequest) -> HttpResponse:
    """Give the statement as a file."""
    form = find_choice(request, "format", choices=FORMS, default="pdf")
    customer_id, span = customer_id_of(request), _span(request)
    admit_export(f"customer:{customer_id}")
    name = getattr(request.person, "nickname", "")
    wanted = StatementFile(
        account=wallet_of(customer_id),
        title=_("余额对账单"),
        owner=f"{request.site.name} {name}".strip(),
        span=span,
        is_for_buyer=True,
    )
    file, _count = write_statement(form, wanted)
    filename = f"wallet-{span.day_from:%Y%m%d}-{span.day_until:%Y%m%d}.{form}"
    content = file if isinstance(file, bytes) else file.read()
    response = HttpResponse(content, content_type=FORMS[form])
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "private, no-store"
    return response
