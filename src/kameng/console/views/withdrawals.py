"""Withdrawals as the main site decides about them: the queue, one of them, files for the bank."""

from typing import Any

from django.http import FileResponse, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.exports_settlement import export_bank_file, export_withdrawals
from kameng.console.forms.orders import EmptyForm
from kameng.console.forms.settlement import (
    ApproveForm,
    DecideForm,
    PayForm,
    ReasonForm,
    ResultForm,
    ReturnForm,
)
from kameng.console.settlement_words import OUTCOMES, WITHDRAWAL_VIEWS, list_risks
from kameng.console.time_line import withdrawal_lines
from kameng.console.views.confirming import confirmed
from kameng.console.views.exports import send_export
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.reviewing import review_page
from kameng.settlement.claims import read_claim_of
from kameng.settlement.models import Withdrawal
from kameng.settlement.models import WithdrawalState as State
from kameng.settlement.selectors import (
    get_batch,
    list_approvals,
    list_batch_rows,
    list_batches,
    list_reviewed,
    name_sites,
    sum_by_state,
)
from kameng.settlement.services.batching import decide_payout, import_result, make_batch
from kameng.settlement.services.bouncing import mark_returned
from kameng.settlement.services.paying_out import list_payout_gateways, start_payout
from kameng.settlement.services.reviewing import (
    approve_withdrawal,
    find_reviewed,
    refuse_withdrawal,
)
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice
from kameng.web.pagination import paginate

PAGE_SIZE = 50
REVIEW = "settlement.review"
UNSENT = (State.REQUESTED, State.APPROVED)


@review_page
def withdrawals(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List what sub-sites asked for; what is approved can be put into a file for the bank."""
    return _list_page(request, EmptyForm())


def _list_page(request: ConsoleRequest, form: Any) -> HttpResponse:
    view = find_choice(request, "view", choices=WITHDRAWAL_VIEWS, default="all")
    states = WITHDRAWAL_VIEWS[view][1]
    page = paginate(
        request,
        lambda before_id, limit: list_reviewed(states=states, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    names = name_sites(row.site_id for row in page.rows)
    sums = sum_by_state()
    context = {
        "form": form,
        "view": view,
        "views": [(key, name, key == view) for key, (name, _states) in WITHDRAWAL_VIEWS.items()],
        "page": page,
        "rows": [(row, names.get(row.site_id, "")) for row in page.rows],
        "can_batch": view == "pay" and bool(page.rows),
        "to_review": sums.get(State.REQUESTED, (0, 0)),
        "to_pay": sums.get(State.APPROVED, (0, 0)),
        "sending": sums.get(State.SENDING, (0, 0)),
        "in_batch": sums.get(State.IN_BATCH, (0, 0)),
        "export_query": f"view={view}",
    }
    return show(request, "console/settlement/review.html", context, status=status_of(form))


@require_POST
@console_page("data.export")
@confirmed
def withdrawals_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the withdrawals of the list: to who may see it."""
    if not request.person.can(REVIEW if site.is_main else "money.view", site.site_id):
        raise PermissionMissing
    view = find_choice(request, "view", choices=WITHDRAWAL_VIEWS, default="all")
    export = export_withdrawals(WITHDRAWAL_VIEWS[view][1], site=site)
    return send_export(request, site, export)


@review_page
def reviewed(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Show one withdrawal with everything that its decision needs."""
    return _detail_page(request, site, withdrawal_no, EmptyForm())


def _detail_page(
    request: ConsoleRequest, site: SiteView, withdrawal_no: str, form: Any
) -> HttpResponse:
    found = find_reviewed(withdrawal_no[:32])
    gateways = list_payout_gateways(found.account.kind) if found.state == State.APPROVED else []
    approvals = list_approvals(found)
    context = {
        "row": found,
        "owner_name": name_sites([found.site_id]).get(found.site_id, ""),
        "risks": list_risks(found),
        "claim": read_claim_of(found) if found.state in UNSENT else None,
        "approvals": approvals,
        "lines": withdrawal_lines(found, approvals=approvals, is_reviewer=True),
        "form": form,
        "forms": {
            "approve": ApproveForm(initial={"risks": ",".join(found.risk_codes)}),
            "refuse": form if type(form) is ReasonForm else ReasonForm(),
            "pay": form if isinstance(form, PayForm) else PayForm(gateways=gateways),
            "returned": form if isinstance(form, ReturnForm) else ReturnForm(),
            "decide": form if isinstance(form, DecideForm) else DecideForm(),
        },
        "gateways": gateways,
        "can_decide": _can_decide(found),
        "is_reviewer": True,
    }
    return show(request, "console/settlement/detail.html", context, status=status_of(form))


def _can_decide(found: Withdrawal) -> bool:
    """A payout whose outcome a person may tell: in a file, or unexplained by its gateway."""
    return found.state == State.IN_BATCH or (found.state == State.SENDING and found.asked_count > 1)


@require_POST
@review_page
@confirmed
def approve(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Say yes."""
    form = ApproveForm(request.POST)

    def act() -> Withdrawal:
        return approve_withdrawal(
            withdrawal_no=withdrawal_no[:32],
            risks_read=form.seen_risks(),
            actor=actor_of(request),
        )

    said = run_form(form, act)
    if said is None:
        return _detail_page(request, site, withdrawal_no, form)
    is_enough = said.state == State.APPROVED
    text = _("已同意，可以打款了。") if is_enough else _("已同意，还要另一个人同意。")
    return done(request, text, to=_url(site, withdrawal_no))


@require_POST
@review_page
@confirmed
def refuse(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Say no, with the reason."""
    form = ReasonForm(request.POST)

    def act() -> Withdrawal:
        return refuse_withdrawal(
            withdrawal_no=withdrawal_no[:32],
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
        )

    if run_form(form, act) is None:
        return _detail_page(request, site, withdrawal_no, form)
    return done(request, _("已驳回，钱回到对方的可提现金额。"), to=_url(site, withdrawal_no))


@require_POST
@review_page
@confirmed
def pay(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Pay through a gateway."""
    found = find_reviewed(withdrawal_no[:32])
    form = PayForm(request.POST, gateways=list_payout_gateways(found.account.kind))

    def act() -> Withdrawal:
        return start_payout(
            withdrawal_no=found.withdrawal_no,
            gateway_id=int(form.cleaned_data["gateway"]),
            actor=actor_of(request),
        )

    if run_form(form, act) is None:
        return _detail_page(request, site, withdrawal_no, form)
    return done(request, _("已交给支付通道，结果会自动更新。"), to=_url(site, withdrawal_no))


@require_POST
@review_page
@confirmed
def returned(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Take a person's word that a payout came back."""
    form = ReturnForm(request.POST)

    def act() -> Withdrawal:
        return mark_returned(
            withdrawal_no=withdrawal_no[:32],
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
        )

    if run_form(form, act) is None:
        return _detail_page(request, site, withdrawal_no, form)
    return done(request, _("已登记退票，钱回到对方的可提现金额。"), to=_url(site, withdrawal_no))


@require_POST
@review_page
@confirmed
def decide(request: ConsoleRequest, site: SiteView, withdrawal_no: str) -> HttpResponse:
    """Take a person's word about a payout."""
    form = DecideForm(request.POST)

    def act() -> Withdrawal:
        return decide_payout(
            withdrawal_no=withdrawal_no[:32],
            is_paid=form.cleaned_data["ended"] == "paid",
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
        )

    if run_form(form, act) is None:
        return _detail_page(request, site, withdrawal_no, form)
    return done(request, _("已记下。"), to=_url(site, withdrawal_no))


def _url(site: SiteView, withdrawal_no: str) -> str:
    return reverse("console:reviewed", args=[site.slug, withdrawal_no])


@require_POST
@review_page
@confirmed
def new_batch(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Put ticked withdrawals into a file for the bank."""
    form = EmptyForm(request.POST)
    numbers = [each[:32] for each in request.POST.getlist("pick")]
    batch = run_form(form, lambda: make_batch(withdrawal_nos=numbers, actor=actor_of(request)))
    if batch is None:
        return _list_page(request, form)
    url = reverse("console:payout_batch", args=[site.slug, batch.batch_no])
    return done(request, _("批次已生成，请导出文件交给银行。"), to=url)


@review_page
def payout_batches(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the files for the bank."""
    page = paginate(
        request,
        lambda before_id, limit: list_batches(before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    return show(request, "console/settlement/batches.html", {"page": page})


@review_page
def payout_batch(request: ConsoleRequest, site: SiteView, batch_no: str) -> HttpResponse:
    """Show a file for the bank, payout by payout."""
    return _batch_page(request, batch_no, ResultForm(), lines=[])


def _batch_page(
    request: ConsoleRequest, batch_no: str, form: Any, *, lines: list[Any]
) -> HttpResponse:
    batch = get_batch(batch_no[:32])
    rows = list_batch_rows(batch)
    names = name_sites(row.site_id for row in rows)
    context = {
        "batch": batch,
        "form": form,
        "rows": [(row, names.get(row.site_id, "")) for row in rows],
        "open_count": sum(row.state == State.IN_BATCH for row in rows),
        "lines": [(line, *OUTCOMES[line.outcome]) for line in lines],
    }
    return show(request, "console/settlement/batch.html", context, status=status_of(form))


@require_POST
@review_page
@confirmed
def batch_file(request: ConsoleRequest, site: SiteView, batch_no: str) -> FileResponse:
    """Give the file for the bank, accounts in clear; audited."""
    return send_export(request, site, export_bank_file(get_batch(batch_no[:32])))


@require_POST
@review_page
def batch_result(request: ConsoleRequest, site: SiteView, batch_no: str) -> HttpResponse:
    """Match the bank's result file, and explain each line."""
    form = ResultForm(request.POST, request.FILES)

    def act() -> list[Any]:
        upload = form.cleaned_data["upload"]
        return import_result(
            batch_no=batch_no[:32],
            data=upload.read((4 << 20) + 1),
            filename=upload.name or "",
            actor=actor_of(request),
        )

    lines = run_form(form, act)
    return _batch_page(request, batch_no, form, lines=lines or [])
