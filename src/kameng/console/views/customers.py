"""Customers: search, one customer with orders and wallet, and what staff may do about one."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.models import Customer
from kameng.accounts.selectors import get_customer, list_customers
from kameng.accounts.services.marking import flag_customer, mark_named
from kameng.accounts.services.registering import (
    end_customer_sessions,
    reveal_customer_login,
    set_customer_active,
    set_customer_note,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import AlreadyDone
from kameng.console.forms.customers import AdjustForm, CustomerNoteForm, LockForm
from kameng.console.forms.orders import EmptyForm
from kameng.console.order_page import make_rows
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.audit import Actor
from kameng.core.errors import Refusal
from kameng.insight.customers import summarize_customer, summarize_customers
from kameng.ledger.selectors import list_wallet_lines, wallet_amount, wallet_amounts
from kameng.orders.selectors import list_customer_orders
from kameng.payments.selectors import list_top_ups
from kameng.payments.services.adjusting import Adjustment, adjust_or_ask
from kameng.payments.services.crediting import cap_of
from kameng.pricing.money import Amount, format_yuan
from kameng.risk.services import admit_once, forget
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_text, find_whole
from kameng.web.pagination import paginate

PAGE_SIZE = 50
LINES = 30
ONCE = "wallet_adjustment"


@console_page("customers.view")
def customers(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List customers, newest first, or those a text finds."""
    text = find_text(request, "q", limit=120)
    page = paginate(
        request,
        lambda before_id, limit: list_customers(text=text, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    ids = [customer.id for customer in page.rows]
    wallets, bought = wallet_amounts(ids), summarize_customers(ids)
    rows = [(each, wallets[each.id], bought[each.id]) for each in page.rows]
    context = {"rows": rows, "page": page, "text": text}
    context |= {"export_query": urlencode({"q": text}) if text else ""}
    return show(request, "console/customers/list.html", context)


@console_page("customers.view")
def customer(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Show one customer with orders and the wallet's statement."""
    return _customer_page(request, get_customer(customer_id))


def _customer_page(
    request: ConsoleRequest,
    found: Customer,
    *,
    bound: Mapping[str, forms.Form] | None = None,
    login: str = "",
) -> HttpResponse:
    before_id = find_whole(request, "before")
    lines = list_wallet_lines(found.id, before_id=before_id, limit=LINES + 1)
    blank = {
        "note": CustomerNoteForm(initial={"note": found.note}),
        "adjust": AdjustForm(),
        "lock": LockForm(),
        "named": LockForm(),
        "flag": LockForm(),
    }
    refused = next(iter(bound.values()), None) if bound else None
    context = {
        "customer": found,
        "login": login or found.login_hint,
        "login_is_clear": bool(login),
        "wallet": wallet_amount(found.id),
        "cap_amount": cap_of(is_named=found.named_at is not None),
        "bought": summarize_customer(found.id),
        "rows": make_rows(list_customer_orders(found.id)),
        "wallet_lines": lines[:LINES],
        "older_url": f"?before={lines[LINES - 1].transfer_id}" if len(lines) > LINES else "",
        "newer_url": "?" if before_id else "",
        "top_ups": list_top_ups(found.id, limit=10),
        "forms": {**blank, **(bound or {})},
        "open_dialog": next(iter(bound), "") if bound else "",
    }
    status = status_of(refused) if refused is not None else 200
    return show(request, "console/customers/detail.html", context, status=status)


def _act(
    request: ConsoleRequest,
    *,
    customer_id: int,
    name: str,
    form: forms.Form,
    run: Callable[[Customer, Actor], str],
) -> HttpResponse:
    """Do one act on a customer, or show the customer again with why it was refused."""
    url = reverse("console:customer", args=[request.working.slug, customer_id])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found = get_customer(customer_id)
    said = run_form(form, lambda: run(found, actor_of(request)))
    if said is None:
        return _customer_page(request, found, bound={name: form})
    return done(request, said, to=url)


@console_page("customers.adjust")
@confirmed
def adjust(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Add to or take from a wallet by hand; the same form twice moves money once."""
    form = AdjustForm(request.POST)

    def run(found: Customer, actor: Actor) -> str:
        amount, key = form.signed_amount(), f"{site.site_id}:{form.cleaned_data['idempotency_key']}"
        if not admit_once(ONCE, key=key):
            raise AlreadyDone
        wish = Adjustment(customer_id=found.id, amount=amount, reason=form.cleaned_data["reason"])
        try:
            asked = adjust_or_ask(wish, actor=actor)
        except Refusal:
            forget(ONCE, key=key)
            raise
        return _say_adjusted(amount, is_waiting=asked is not None)

    return _act(request, customer_id=customer_id, name="adjust", form=form, run=run)


def _say_adjusted(amount: int, *, is_waiting: bool) -> str:
    if is_waiting:
        return _("金额超过门槛，已提交复核，等另一位同事处理。")
    words = _("余额已增加 ¥%(amount)s。") if amount > 0 else _("余额已扣减 ¥%(amount)s。")
    return words % {"amount": format_yuan(Amount(abs(amount)))}


@console_page("customers.edit")
def named(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Say that the shop knows a customer's real name, or not any more: the cap follows."""
    form = LockForm(request.POST)

    def run(found: Customer, actor: Actor) -> str:
        is_named = found.named_at is None
        mark_named(found.id, is_named=is_named, reason=form.cleaned_data["reason"], actor=actor)
        return _("已标记为实名，余额上限已提高。") if is_named else _("已取消实名标记。")

    return _act(request, customer_id=customer_id, name="named", form=form, run=run)


@console_page("customers.edit")
def flag(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Put a customer under watch with a reason, or end it."""
    is_ending = "end" in request.POST
    form = EmptyForm(request.POST) if is_ending else LockForm(request.POST)

    def run(found: Customer, actor: Actor) -> str:
        reason = "" if is_ending else form.cleaned_data["reason"]
        flag_customer(found.id, reason=reason, actor=actor)
        return _("已取消重点关注。") if is_ending else _("已标记为重点关注，后台各处会显示。")

    return _act(request, customer_id=customer_id, name="flag", form=form, run=run)


@console_page("customers.edit")
def lock(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Switch a customer off: signed out everywhere, cannot come in, orders stay."""
    form = LockForm(request.POST)

    def run(found: Customer, actor: Actor) -> str:
        reason = form.cleaned_data["reason"]
        set_customer_active(found.id, is_active=False, actor=actor, reason=reason)
        return _("客户已停用，所有设备上的登录已退出。")

    return _act(request, customer_id=customer_id, name="lock", form=form, run=run)


@console_page("customers.edit")
def unlock(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Let a customer in again."""

    def run(found: Customer, actor: Actor) -> str:
        set_customer_active(found.id, is_active=True, actor=actor)
        return _("客户已恢复，可以正常登录。")

    form = EmptyForm(request.POST)
    return _act(request, customer_id=customer_id, name="unlock", form=form, run=run)


@console_page("customers.edit")
def sign_out_customer(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """End every session of a customer."""

    def run(found: Customer, actor: Actor) -> str:
        ended = end_customer_sessions(found.id, actor=actor)
        return _("已退出 %(count)s 台设备上的登录。") % {"count": ended}

    form = EmptyForm(request.POST)
    return _act(request, customer_id=customer_id, name="sign_out", form=form, run=run)


@console_page("customers.edit")
def note(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Keep the operator's remark about a customer."""
    form = CustomerNoteForm(request.POST)

    def run(found: Customer, actor: Actor) -> str:
        set_customer_note(found.id, note=form.cleaned_data["note"])
        return _("备注已保存。")

    return _act(request, customer_id=customer_id, name="note", form=form, run=run)


@console_page("customers.edit")
def reveal_login(request: ConsoleRequest, site: SiteView, customer_id: int) -> HttpResponse:
    """Show a customer's login in clear, once, on record."""
    if request.method != "POST":
        url = reverse("console:customer", args=[site.slug, customer_id])
        return HttpResponseRedirect(url)
    found = get_customer(customer_id)
    login = reveal_customer_login(found.id, actor=actor_of(request))
    response = _customer_page(request, found, login=login)
    response["Cache-Control"] = "no-store"
    return response
