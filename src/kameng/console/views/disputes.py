"""Disputes: the list with its deadlines, one with its evidence, filing, answering, ending."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.models import Approval
from kameng.accounts.selectors import list_approvals_about, list_customers_by_id
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.money import AnswerForm, DisputeForm, VerdictForm
from kameng.console.forms.orders import EmptyForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.payments import get_payment_of_page, payer_of
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.orders.selectors import get_order
from kameng.orders.services.evidence import collect_evidence
from kameng.payments.models import Dispute, DisputeState, Purpose
from kameng.payments.selectors import find_evidence, get_dispute, list_disputes
from kameng.payments.services.disputing import (
    Complaint,
    answer_dispute,
    close_dispute,
    file_dispute,
)
from kameng.payments.services.evidencing import submit_evidence, takes_evidence
from kameng.payments.services.second_person import WRITE_OFF
from kameng.tenancy.selectors import SiteView
from kameng.web.pagination import paginate

SOON = dt.timedelta(days=2)


@console_page("orders.view")
def disputes(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List disputes, newest first, the open ones above."""
    page = paginate(
        request, lambda before_id, limit: list_disputes(before_id=before_id, limit=limit)
    )
    opened = list_disputes(state=DisputeState.OPEN, limit=200)
    context = {
        "opened": [(each, is_due(each)) for each in opened],
        "rows": [each for each in page.rows if each.state != DisputeState.OPEN],
        "page": page,
    }
    return show(request, "console/disputes/list.html", context)


def is_due(dispute: Dispute) -> bool:
    """Tell whether an open dispute must be answered within two days, or should have been."""
    late = dispute.answer_by is not None and dispute.answer_by <= clock.now() + SOON
    return late and dispute.answered_at is None


@console_page("orders.view")
def dispute(request: ConsoleRequest, site: SiteView, dispute_id: int) -> HttpResponse:
    """Show one dispute: what it is about, what the shop answers, how it ended."""
    return _dispute_page(request, get_dispute(dispute_id))


def _dispute_page(
    request: ConsoleRequest,
    found: Dispute,
    *,
    answer: AnswerForm | None = None,
    verdict: VerdictForm | None = None,
    submission: EmptyForm | None = None,
) -> HttpResponse:
    payment, refused = found.payment, answer or verdict or submission
    customer_id = payer_of(payment)
    context = {
        "dispute": found,
        "payment": payment,
        "order": get_order(payment.subject_id) if payment.purpose == Purpose.ORDER else None,
        "customer": list_customers_by_id({customer_id}).get(customer_id) if customer_id else None,
        "is_due": is_due(found),
        "takes_evidence": found.state == DisputeState.OPEN and takes_evidence(found),
        "sent": find_evidence(found.id),
        "waiting": list_approvals_about([WRITE_OFF], about_id=found.id),
        "answer": answer or AnswerForm(initial={"evidence": found.evidence}),
        "verdict": verdict or VerdictForm(),
        "form": refused,
    }
    status = status_of(refused) if refused else 200
    return show(request, "console/disputes/detail.html", context, status=status)


@console_page("orders.refund")
def new_dispute(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """File a dispute that a gateway told of by mail."""
    form = DisputeForm(
        request.POST or None, initial={"payment_no": request.GET.get("payment", "")[:32]}
    )
    filed: Dispute | None = None
    if form.is_bound:
        filed = run_form(form, lambda: _file(form, site, actor_of(request)))
    if filed is not None:
        url = reverse("console:dispute", args=[site.slug, filed.id])
        return done(request, _("争议已登记，结束之前这笔支付不能退款。"), to=url)
    return show(request, "console/disputes/new.html", {"form": form}, status=status_of(form))


def _file(form: DisputeForm, site: SiteView, actor: Actor) -> Dispute:
    data = form.cleaned_data
    complaint = Complaint(
        dispute_no=data["dispute_no"],
        amount=data["amount"],
        held_amount=data["held_amount"] or 0,
        reason=data["reason"],
        answer_by=form.answer_moment(site.settings.zone),
    )
    payment = get_payment_of_page(data["payment_no"])
    return file_dispute(payment_id=payment.id, complaint=complaint, actor=actor)


@console_page("orders.refund")
def answer(request: ConsoleRequest, site: SiteView, dispute_id: int) -> HttpResponse:
    """Keep what the shop answers."""

    def act(form: Form) -> str:
        evidence = form.cleaned_data["evidence"]
        answer_dispute(dispute_id=dispute_id, evidence=evidence, actor=actor_of(request))
        if takes_evidence(get_dispute(dispute_id)):
            return _("答复已保存。核对以后，再提交给平台。")
        return _("答复已保存。请下载证据包，到支付平台提交。")

    return _act(request, dispute_id, name="answer", form=AnswerForm(request.POST), act=act)


@console_page("orders.refund")
@confirmed
def submit(request: ConsoleRequest, site: SiteView, dispute_id: int) -> HttpResponse:
    """Have the answer handed in at the gateway, with a document of what the shop knows."""

    def act(_form: Form) -> str:
        facts = collect_evidence(get_dispute(dispute_id))
        submit_evidence(dispute_id=dispute_id, facts=facts, actor=actor_of(request))
        return _("正在提交给平台，结果会显示在这里。")

    return _act(request, dispute_id, name="submission", form=EmptyForm(request.POST), act=act)


@console_page("orders.refund")
def package(request: ConsoleRequest, site: SiteView, dispute_id: int) -> HttpResponse:
    """Give what the shop knows of a disputed sale as a PDF; raise `EvidenceHoldsKey`."""
    found = get_dispute(dispute_id)
    facts = collect_evidence(found)
    response = HttpResponse(facts.document, content_type="application/pdf")
    name = quote(f"dispute-{found.dispute_no}.pdf")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return response


@console_page("orders.refund")
@confirmed
def end_dispute(request: ConsoleRequest, site: SiteView, dispute_id: int) -> HttpResponse:
    """Write down how a dispute ended."""

    def act(form: Form) -> str:
        ended = close_dispute(
            dispute_id=dispute_id,
            is_lost=form.cleaned_data["verdict"] == "lost",
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
        )
        if isinstance(ended, Approval):
            return _("金额超过门槛，已提交复核，等另一位同事处理。")
        return _("争议已结束，已记账。")

    return _act(request, dispute_id, name="verdict", form=VerdictForm(request.POST), act=act)


def _act(
    request: ConsoleRequest,
    dispute_id: int,
    *,
    name: str,
    form: Any,
    act: Callable[[Form], str],
) -> HttpResponse:
    url = reverse("console:dispute", args=[request.working.slug, dispute_id])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    found = get_dispute(dispute_id)
    said = run_form(form, lambda: act(form))
    if said is None:
        return _dispute_page(request, found, **{name: form})
    return done(request, said, to=url)
