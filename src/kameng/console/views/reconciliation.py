"""Reconciliation: the calendar of days by gateway, one day with its bill, closing a month."""

import calendar
import datetime as dt
import zlib
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.orders import EmptyForm
from kameng.console.forms.reconciliation import BillForm, CloseMonthForm, read_day, read_month
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.payments.models import Gateway
from kameng.payments.selectors import list_own_gateways
from kameng.payments.services.gateways import get_own_gateway
from kameng.reconciliation.models import Bill, BillSourceKind, LineState
from kameng.reconciliation.selectors import (
    CaseFilter,
    count_open_cases_between,
    count_open_days,
    count_waiting_cases,
    find_bill,
    find_month_close,
    get_bill_file,
    has_bill_day,
    list_account_months,
    list_bill_files,
    list_bill_rows,
    list_cases,
    list_days,
    list_month_closes,
    sum_open_stakes,
    today_there,
)
from kameng.reconciliation.services.closing import close_month, seal_text
from kameng.reconciliation.services.fetching import fetch_bill, is_fetchable, upload_bill
from kameng.reconciliation.services.matching import match_bill
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice
from kameng.web.pagination import paginate

PAGE_SIZE = 50
CASES_SHOWN = 20
MONTHS_SHOWN = 12
WEEKDAYS: Final = (
    gettext_lazy("周一"),
    gettext_lazy("周二"),
    gettext_lazy("周三"),
    gettext_lazy("周四"),
    gettext_lazy("周五"),
    gettext_lazy("周六"),
    gettext_lazy("周日"),
)


@console_page("money.reconcile")
def reconciliation(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show a month of days for each gateway, and what waits for a person."""
    today = today_there()
    month = read_month(request.GET.get("month", "")) or today.replace(day=1)
    gateways = list_own_gateways()
    days = _days_of(month)
    marks = list_days([each.id for each in gateways], days=days)
    context = {
        "month": month,
        "earlier": (month - dt.timedelta(days=1)).replace(day=1),
        "later": days[-1] + dt.timedelta(days=1) if days[-1] < today else None,
        "weekdays": WEEKDAYS,
        "blank": range(month.weekday()),
        "today": today,
        "rows": [(each, marks[each.id], is_fetchable(each)) for each in gateways],
        "waiting_cases": count_waiting_cases(),
        "stake_amount": sum_open_stakes(),
    }
    return show(request, "console/money/calendar.html", context)


def _days_of(month: dt.date) -> list[dt.date]:
    count = calendar.monthrange(month.year, month.month)[1]
    return [month.replace(day=number) for number in range(1, count + 1)]


@console_page("money.reconcile")
def bill_day(request: ConsoleRequest, site: SiteView, gateway_id: int, day: str) -> HttpResponse:
    """Show the bill of a gateway's day; a post takes in a file."""
    gateway, date = _day_of_page(gateway_id, day)
    is_post = request.method == "POST"
    form = BillForm(request.POST if is_post else None, request.FILES if is_post else None)
    if form.is_bound:
        taken = run_form(form, lambda: _upload(request, form, gateway_id, date))
        if taken is not None:
            return done(request, _found(taken), to=request.path)
    return _day_page(request, gateway, date, form)


def _upload(request: ConsoleRequest, form: BillForm, gateway_id: int, day: dt.date) -> Bill:
    file = form.cleaned_data["file"]
    return upload_bill(
        gateway_id=gateway_id,
        day=day,
        data=file.read(),
        name=file.name or "",
        actor=actor_of(request),
    )


def _day_of_page(gateway_id: int, day: str) -> tuple[Gateway, dt.date]:
    date = read_day(day)
    if date is None:
        raise Http404
    return get_own_gateway(gateway_id), date


def _found(bill: Bill) -> str:
    count = len(list_cases(CaseFilter(bill_id=bill.id, state=1), limit=1000))
    if not count:
        return _("已核对 %(lines)s 行，没有差异。") % {"lines": bill.line_count}
    text = _("已核对 %(lines)s 行，有 %(count)s 个差异要处理。")
    return text % {"lines": bill.line_count, "count": count}


def _day_page(
    request: ConsoleRequest, gateway: Gateway, day: dt.date, form: Any, problem: str = ""
) -> HttpResponse:
    bill = find_bill(gateway.id, day=day)
    views: dict[str, LineState | None] = {
        "all": None,
        "different": LineState.DIFFERENT,
        "uncompared": LineState.UNCOMPARED,
    }
    view = find_choice(request, "view", choices=views, default="all")
    context = {
        "gateway": gateway,
        "day": day,
        "bill": bill,
        "is_billable": has_bill_day(day),
        "can_fetch": is_fetchable(gateway),
        "is_uploaded": bill is not None and bill.source == BillSourceKind.UPLOADED,
        "files": list_bill_files(bill.id) if bill else [],
        "cases": list_cases(CaseFilter(bill_id=bill.id), limit=CASES_SHOWN) if bill else [],
        "page": paginate(
            request,
            lambda before_id, limit: (
                list_bill_rows(bill.id, state=views[view], before_id=before_id, limit=limit)
                if bill
                else []
            ),
            size=PAGE_SIZE,
        ),
        "view": view,
        "views": [("all", _("全部")), ("different", _("有差异")), ("uncompared", _("不参与核对"))],
        "form": form,
        "problem": problem,
    }
    return show(request, "console/money/day.html", context, status=status_of(form))


@require_POST
@console_page("money.reconcile")
def fetch_day(request: ConsoleRequest, site: SiteView, gateway_id: int, day: str) -> HttpResponse:
    """Fetch the bill of a day now and compare it."""
    gateway, date = _day_of_page(gateway_id, day)
    form = EmptyForm(request.POST)
    bill = run_form(
        form, lambda: fetch_bill(gateway_id=gateway_id, day=date, actor=actor_of(request))
    )
    if bill is None:
        return _refused_day(request, gateway, date, form)
    return done(request, _found(bill), to=_day_url(site, gateway_id, day))


@require_POST
@console_page("money.reconcile")
def match_day(request: ConsoleRequest, site: SiteView, gateway_id: int, day: str) -> HttpResponse:
    """Compare the bill of a day again, without fetching it."""
    gateway, date = _day_of_page(gateway_id, day)
    bill = find_bill(gateway.id, day=date)
    form = EmptyForm(request.POST)
    matched = run_form(form, lambda: match_bill(bill.id if bill else 0))
    if matched is None or bill is None:
        return _refused_day(request, gateway, date, form)
    return done(request, _found(bill), to=_day_url(site, gateway_id, day))


def _refused_day(
    request: ConsoleRequest, gateway: Gateway, day: dt.date, form: Any
) -> HttpResponse:
    shown = BillForm()
    shown.refusal_status = status_of(form)  # type: ignore[attr-defined]
    return _day_page(request, gateway, day, shown, problem=str(form.non_field_errors()[0]))


def _day_url(site: SiteView, gateway_id: int, day: str) -> str:
    return reverse("console:bill_day", args=[site.slug, gateway_id, day])


@console_page("money.reconcile")
def bill_file(
    request: ConsoleRequest, site: SiteView, gateway_id: int, day: str, file_id: int
) -> HttpResponse:
    """Give a bill as it was received."""
    if not request.person.can("data.export", site.site_id):
        raise PermissionMissing
    gateway, date = _day_of_page(gateway_id, day)
    bill = find_bill(gateway.id, day=date)
    file = get_bill_file(bill.id if bill else 0, file_id=file_id)
    response = HttpResponse(
        zlib.decompress(bytes(file.compressed)), content_type="application/octet-stream"
    )
    response["Content-Disposition"] = f'attachment; filename="bill-{gateway.id}-{day}-{file.id}"'
    response["Cache-Control"] = "no-store"
    return response


@console_page("money.close")
@confirmed
def closing(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the months with their seals; a post closes one."""
    if not site.is_main:
        raise PermissionMissing
    form = CloseMonthForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        close = run_form(form, lambda: close_month(actor=actor_of(request), **form.cleaned_data))
        if close is not None:
            text = _("%(month)s 已关账，封存值已记下。") % {"month": f"{close.month:%Y-%m}"}
            return done(request, text, to=request.path)
    context = {"form": form, "months": _months(), "closes": list_month_closes()}
    return show(request, "console/money/closing.html", context, status=status_of(form))


def _months() -> list[dict[str, Any]]:
    """Return the months that are over and not closed, newest first, with what is open."""
    month = today_there().replace(day=1)
    rows: list[dict[str, Any]] = []
    since = min((each.created_at.date() for each in list_own_gateways()), default=month)
    earliest = (month - dt.timedelta(days=31 * MONTHS_SHOWN)).replace(day=1)
    taken = list_account_months(earliest, until=month)
    for _number in range(MONTHS_SHOWN):
        last = month
        if rows and last <= since:
            break
        month = (month - dt.timedelta(days=1)).replace(day=1)
        if find_month_close(month) is None:
            rows.append(
                {
                    "month": month,
                    "accounts": (accounts := taken.get(month, [])),
                    "has_uncompared": any(each.uncompared_days for each in accounts),
                    "open_days": count_open_days(month, until=last, accounts=accounts),
                    "open_cases": count_open_cases_between(month, until=last),
                }
            )
    return rows


@console_page("money.close")
def month_seal(request: ConsoleRequest, site: SiteView, month: str) -> HttpResponse:
    """Give the seal of a closed month as a text, to be kept elsewhere."""
    first = read_month(month)
    close = find_month_close(first) if first else None
    if close is None or not site.is_main:
        raise Http404
    response = HttpResponse(seal_text(close), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="kameng-seal-{month}.txt"'
    return response
