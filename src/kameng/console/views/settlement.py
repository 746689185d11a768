"""Settlement as an operator sees it: what is mine, what is on its way, and asking for it."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done, run_form, see_other, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.orders import EmptyForm
from kameng.console.forms.settlement import AccountForm, ReceiverForm, RowForm, WithdrawForm
from kameng.console.settlement_words import SPLIT_VIEWS, list_risks, split_reason
from kameng.console.time_line import withdrawal_lines
from kameng.console.views.confirming import confirmed, confirmed_page
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.settlement.claims import find_terms, list_claims, site_owner
from kameng.settlement.errors import WithdrawalNotFound
from kameng.settlement.selectors import (
    get_withdrawal,
    list_accounts,
    list_approvals,
    list_receivers,
    list_splits,
    list_withdrawals,
    name_orders,
)
from kameng.settlement.services.accounts import add_payout_account, remove_payout_account
from kameng.settlement.services.receivers import (
    add_split_receiver,
    close_split_receiver,
    list_splitters,
    prove_receiver,
)
from kameng.settlement.services.receiving import hasten_answer, read_receiving
from kameng.settlement.services.requesting import request_withdrawal, take_back_withdrawal
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice
from kameng.web.pagination import paginate
from kameng.web.receiving import keep_secret, receiving_context

PAGE_SIZE = 30
RECEIVE = "settlement.request"  # who chooses where money goes may have it confirmed there


@console_page("money.view")
def settlement(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the claims of a sub-site and its withdrawals; the main site has its queue instead."""
    if site.is_main:
        return see_other(reverse("console:withdrawals", args=[site.slug]))
    form = WithdrawForm(claims=list_claims(site), accounts=list_accounts(site_owner()))
    return _page(request, site, form)


@require_POST
@console_page("settlement.request")
@confirmed
def ask_withdrawal(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Ask that a part of a claim be paid out."""
    if site.is_main:
        raise PermissionMissing
    claims, accounts = list_claims(site), list_accounts(site_owner())
    form = WithdrawForm(request.POST, claims=claims, accounts=accounts)
    made = run_form(
        form,
        lambda: request_withdrawal(owner=site_owner(), wish=form.wish(), actor=actor_of(request)),
    )
    if made is None:
        return _page(request, site, form)
    url = reverse("console:withdrawal", args=[site.slug, made.withdrawal_no])
    return done(request, _("已提交，审核后打款。"), to=url)


def _page(request: ConsoleRequest, site: SiteView, form: WithdrawForm) -> HttpResponse:
    now = clock.now()
    accounts = list_accounts(site_owner())
    context = {
        "form": form,
        "claims": list_claims(site),
        "terms": find_terms(site),
        "is_split": site.settlement_way == SettlementWay.SPLIT,
        "has_usable": any(each.usable_at <= now for each in accounts),
        "accounts": accounts,
        "page": paginate(
            request,
            lambda before_id, limit: list_withdrawals(before_id=before_id, limit=limit),
            size=PAGE_SIZE,
        ),
    }
    return show(request, "console/settlement/home.html", context, status=status_of(form))


@console_page("money.view")
def withdrawal(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Show one withdrawal of the site, step by step."""
    return _withdrawal_page(request, withdrawal_no, EmptyForm())


def _withdrawal_page(request: ConsoleRequest, withdrawal_no: str, form: Any) -> HttpResponse:
    found = get_withdrawal(withdrawal_no[:32])
    site, approvals = request.working, list_approvals(found)
    context = {
        "row": found,
        "risks": list_risks(found),
        "approvals": approvals,
        "lines": withdrawal_lines(found, approvals=approvals, is_reviewer=False),
        "form": form,
        "is_reviewer": False,
        "now": clock.now(),
    }
    receiving = read_receiving(found) if request.person.can(RECEIVE, site.site_id) else None
    if receiving is not None and receiving.is_moving:
        url = reverse("console:receipt_status", args=[site.slug, found.withdrawal_no])
        query = urlencode({"s": receiving.receipt.value})
        context |= {**receiving_context(request, receiving), "status_url": f"{url}?{query}"}
    page = show(request, "console/settlement/detail.html", context, status=status_of(form))
    return keep_secret(page)


@require_safe
@console_page(RECEIVE)
def receipt_status(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Tell whether the page of a payout shows it as it is; asking lets the worker look soon."""
    receiving = read_receiving(get_withdrawal(withdrawal_no[:32]))
    if receiving is None:
        raise WithdrawalNotFound
    hasten_answer(receiving)
    state = receiving.receipt.value
    return keep_secret(JsonResponse({"state": state, "reload": request.GET.get("s") != state}))


@require_POST
@console_page("settlement.request")
def take_back(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Take back a request that nobody has decided yet."""
    form = EmptyForm(request.POST)
    taken = run_form(
        form,
        lambda: take_back_withdrawal(
            owner=site_owner(), withdrawal_no=withdrawal_no[:32], actor=actor_of(request)
        ),
    )
    if taken is None:
        return _withdrawal_page(request, withdrawal_no, form)
    url = reverse("console:settlement", args=[site.slug])
    return done(request, _("已撤回，钱回到可提现金额。"), to=url)


@console_page("money.view")
def payout_accounts(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List where payouts and shares of the site go."""
    if site.is_main:
        raise PermissionMissing
    return _accounts_page(request, site, EmptyForm())


def _accounts_page(request: ConsoleRequest, site: SiteView, form: Any) -> HttpResponse:
    names = {each.gateway_id: each.name for each in list_splitters()}
    context = {
        "form": form,
        "accounts": list_accounts(site_owner()),
        "receivers": [(row, names.get(row.gateway_id, "")) for row in list_receivers()],
        "can_split": bool(names) and site.settlement_way == SettlementWay.SPLIT,
        "now": clock.now(),
        "terms": find_terms(site),
    }
    return show(request, "console/settlement/accounts.html", context, status=status_of(form))


@console_page("settlement.accounts")
@confirmed_page
def new_payout_account(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Enter a payout account; usable after its cooling-off time."""
    if site.is_main:
        raise PermissionMissing
    form = AccountForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        made = run_form(
            form,
            lambda: add_payout_account(
                owner=site_owner(), wish=form.wish(), actor=actor_of(request)
            ),
        )
        if made is not None:
            url = reverse("console:payout_accounts", args=[site.slug])
            return done(request, _("收款账户已添加，冷静期过后就能用。"), to=url)
    context = {"form": form, "terms": find_terms(site), "is_receiver": False}
    return show(request, "console/settlement/account.html", context, status=status_of(form))


@console_page("settlement.accounts")
@confirmed_page
def new_receiver(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Enter who gets the shares at a gateway, and have it proved there."""
    if site.is_main:
        raise PermissionMissing
    data = request.POST if request.method == "POST" else None
    form = ReceiverForm(data, gateways=list_splitters())
    if form.is_bound:
        made = run_form(form, lambda: add_split_receiver(wish=form.wish(), actor=actor_of(request)))
        if made is not None:
            url = reverse("console:payout_accounts", args=[site.slug])
            return done(request, _("支付通道已核实，冷静期过后开始分账。"), to=url)
    context = {"form": form, "terms": find_terms(site), "is_receiver": True}
    return show(request, "console/settlement/account.html", context, status=status_of(form))


@require_POST
@console_page("settlement.accounts")
@confirmed
def remove_account(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take a payout account away."""
    form = RowForm(request.POST)
    gone = run_form(
        form,
        lambda: remove_payout_account(
            owner=site_owner(), account_id=form.cleaned_data["row_id"], actor=actor_of(request)
        ),
    )
    if gone is None:
        return _accounts_page(request, site, form)
    return done(request, _("已移除。"), to=reverse("console:payout_accounts", args=[site.slug]))


@require_POST
@console_page("settlement.accounts")
@confirmed
def reprove_receiver(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Ask the gateway again whether it knows a receiver."""
    form = RowForm(request.POST)
    proved = run_form(
        form,
        lambda: prove_receiver(receiver_id=form.cleaned_data["row_id"], actor=actor_of(request)),
    )
    if proved is None:
        return _accounts_page(request, site, form)
    url = reverse("console:payout_accounts", args=[site.slug])
    return done(request, _("支付通道已核实。"), to=url)


@require_POST
@console_page("settlement.accounts")
@confirmed
def close_receiver(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take a receiver of shares away."""
    form = RowForm(request.POST)
    closed = run_form(
        form,
        lambda: close_split_receiver(
            receiver_id=form.cleaned_data["row_id"], actor=actor_of(request)
        ),
    )
    if closed is None:
        return _accounts_page(request, site, form)
    url = reverse("console:payout_accounts", args=[site.slug])
    return done(request, _("接收方已移除，之后的利润留作应付。"), to=url)


@console_page("money.view")
def own_splits(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the shares of a sub-site, each with where it stands and why."""
    if site.is_main:
        return see_other(reverse("console:splits", args=[site.slug]))
    view = find_choice(request, "view", choices=SPLIT_VIEWS, default="all")
    states = SPLIT_VIEWS[view][1]
    page = paginate(
        request,
        lambda before_id, limit: list_splits(states=states, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    numbers = name_orders(page.rows)
    context = {
        "view": view,
        "views": [(key, name, key == view) for key, (name, _states) in SPLIT_VIEWS.items()],
        "page": page,
        "rows": [(row, numbers.get(row.order_id or 0, ""), split_reason(row)) for row in page.rows],
        "is_main": False,
    }
    return show(request, "console/settlement/splits.html", context)
