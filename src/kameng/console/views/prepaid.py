"""Prepaid wholesale: the balance with its statement, paying in, and what the main site books."""

from typing import Any

import segno
from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, see_other, status_of
from kameng.console.errors import AlreadyDone
from kameng.console.forms.prepaid import AlertForm, BookForm, CreditForm, PayInForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.ledger.accounts import Reference
from kameng.ledger.selectors import list_prepaid_lines, prepaid_balance
from kameng.orders.selectors import count_awaiting_prepaid, list_order_nos
from kameng.payments.models import PrepaidIn, Purpose
from kameng.payments.providers.port import PayInstruction
from kameng.payments.selectors import (
    find_open_payment,
    find_prepaid,
    get_pay_choice,
    list_pay_choices,
)
from kameng.payments.services.paying import Payer, instruct_buyer
from kameng.payments.services.prepaying import (
    adjust_prepaid,
    book_prepaid,
    set_credit_line,
    start_prepaid,
)
from kameng.pricing.money import Amount, format_yuan
from kameng.risk.services import admit_once, forget
from kameng.tenancy.addresses import host_url
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, get_site_view
from kameng.tenancy.services import change_settings
from kameng.web.csp import allow_form_target
from kameng.web.pagination import paginate

NOTIFY_PATH = "/notify/"
ONCE = "prepaid_adjustment"


@console_page("money.view")
def prepaid(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the prepaid balance with its statement, and the forms that move it."""
    return _page(request, site)


def _page(
    request: ConsoleRequest, site: SiteView, bound: dict[str, forms.Form] | None = None
) -> HttpResponse:
    if site.is_main:
        return see_other(reverse("console:sites", args=[site.slug]))
    balance = prepaid_balance(site.site_id)
    page = paginate(
        request,
        lambda before_id, limit: list_prepaid_lines(site.site_id, before_id=before_id, limit=limit),
    )
    order_nos = list_order_nos(
        {row.reference_id for row in page.rows if row.reference_kind == Reference.ORDER}
    )
    alert_amount = site.settings.prepaid_alert_amount
    blank = {
        "pay_in": PayInForm(gateways=_gateways(site)),
        "book": BookForm(),
        "credit": CreditForm(initial={"amount": _plain(balance.credit_amount)}),
        "alert": AlertForm(initial={"amount": _plain(alert_amount)}),
    }
    refused = next(iter(bound.values()), None) if bound else None
    context = {
        "balance": balance,
        "is_prepaid": site.settlement_way == SettlementWay.PREPAID,
        "is_low": balance.usable_amount < alert_amount,
        "alert_amount": alert_amount,
        "waiting_count": count_awaiting_prepaid(),
        "page": page,
        "rows": [(row, order_nos.get(row.reference_id, "")) for row in page.rows],
        "forms": blank | (bound or {}),
        "open_dialog": next(iter(bound), "") if bound else "",
    }
    status = status_of(refused) if refused is not None else 200
    return show(request, "console/prepaid/page.html", context, status=status)


def _gateways(site: SiteView) -> list[tuple[int, str]]:
    """Return the main site's gateways, through which an operator pays in ahead."""
    choices = list_pay_choices(get_site_view(site.main_id))
    return [(choice.gateway_id, choice.name) for choice in choices]


def _plain(amount: int) -> str:
    return format_yuan(Amount(amount))


@require_POST
@console_page("money.view")
def pay_in(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Open a payment into the balance; the page that follows says where to pay."""
    form = PayInForm(request.POST, gateways=_gateways(site))

    def act() -> PrepaidIn:
        data = form.cleaned_data
        choice = get_pay_choice(
            get_site_view(site.main_id),
            gateway_id=int(data["gateway_id"]),
            amount=data["amount"],
        )
        return start_prepaid(
            site_id=site.site_id,
            amount=data["amount"],
            choice=choice,
            idempotency_key=data["idempotency_key"],
            actor=actor_of(request),
        )[0]

    started = run_form(form, act)
    if started is None:
        return _page(request, site, {"pay_in": form})
    return see_other(reverse("console:prepaid_pay", args=[site.slug, started.prepaid_no]))


@console_page("money.view")
def prepaid_pay(request: ConsoleRequest, site: SiteView, prepaid_no: str) -> HttpResponse:
    """Show where a payment into the balance is paid; one that is credited leads back."""
    found = find_prepaid(prepaid_no)
    payment = find_open_payment(Purpose.PREPAID, paid_for=found.id) if found else None
    home = reverse("console:prepaid", args=[site.slug])
    if found is None or payment is None:
        text = _("预存款已到账。") if found and found.credited_at else _("这笔预存已结束。")
        return done(request, text, to=home)
    instruction, problem = None, ""
    try:
        instruction = instruct_buyer(
            payment=payment, subject=_("预存货款"), payer=_payer(request, prepaid_no)
        )
    except Refusal as refusal:
        problem = refusal.text()
    context = {"paid_in": found, "payment": payment, "problem": problem, "home_url": home}
    context |= _instruction_context(instruction)
    response = show(request, "console/prepaid/pay.html", context)
    if instruction is not None and instruction.kind == "form":
        allow_form_target(response, instruction.url)
    return response


def _payer(request: ConsoleRequest, prepaid_no: str) -> Payer:
    base = host_url(request.get_host().partition(":")[0])
    back = reverse("console:prepaid_pay", args=[request.working.slug, prepaid_no])
    return Payer(
        client_ip=request.client_ip,
        device="pc",
        notify_url=base + NOTIFY_PATH,
        return_url=base + back,
    )


def _instruction_context(instruction: PayInstruction | None) -> dict[str, Any]:
    if instruction is None:
        return {}
    if instruction.kind == "qr":
        code = segno.make(instruction.qr_text, error="m", micro=False)
        svg = code.svg_inline(border=0, dark="#141a26", omitsize=True, svgclass=None)
        return {"qr_svg": mark_safe(str(svg))}  # noqa: S308 - made of numbers
    return {"pay_form": instruction} if instruction.kind == "form" else {"pay_url": instruction.url}


@require_POST
@console_page("sites.manage")
@confirmed
def book(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Book a bank transfer that came, or correct the balance; the same form twice moves once."""
    form = BookForm(request.POST)
    if run_form(form, lambda: _book(request, site, form)) is None:
        return _page(request, site, {"book": form})
    return done(request, _("已记账。"), to=reverse("console:prepaid", args=[site.slug]))


def _book(request: ConsoleRequest, site: SiteView, form: BookForm) -> bool:
    data, actor = form.cleaned_data, actor_of(request)
    key, amount, reason = data["idempotency_key"], data["amount"], data["reason"]
    if data["way"] == "bank":
        book_prepaid(
            site_id=site.site_id, amount=amount, reason=reason, idempotency_key=key, actor=actor
        )
        return True
    once = f"{site.site_id}:{key}"
    if not admit_once(ONCE, key=once):
        raise AlreadyDone
    try:
        signed = amount if data["way"] == "up" else -amount
        adjust_prepaid(site_id=site.site_id, amount=signed, reason=reason, actor=actor)
    except Refusal:
        forget(ONCE, key=once)
        raise
    return True


@require_POST
@console_page("sites.manage")
@confirmed
def credit_line(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Set how far below zero the balance may fall."""
    form = CreditForm(request.POST)

    def act() -> bool:
        data = form.cleaned_data
        set_credit_line(
            site_id=site.site_id,
            amount=int(data["amount"]),
            reason=data["reason"],
            actor=actor_of(request),
        )
        return True

    if run_form(form, act) is None:
        return _page(request, site, {"credit": form})
    return done(request, _("已保存。"), to=reverse("console:prepaid", args=[site.slug]))


@require_POST
@console_page("money.view")
def alert(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Set below which balance the operator is told."""
    form = AlertForm(request.POST)

    def act() -> bool:
        changes: dict[str, object] = {"prepaid_alert_amount": int(form.cleaned_data["amount"])}
        change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))
        return True

    if run_form(form, act) is None:
        return _page(request, site, {"alert": form})
    return done(request, _("已保存。"), to=reverse("console:prepaid", args=[site.slug]))
