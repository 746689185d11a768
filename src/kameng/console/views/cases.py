"""Differences between bills and books: the list, one with both sides, what a person decides."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kameng.accounts.selectors import get_user
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.orders import EmptyForm
from kameng.console.forms.reconciliation import CaseNoteForm, CaseReasonForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.audit import Actor
from kameng.payments.selectors import find_gateway, list_own_gateways
from kameng.reconciliation.models import Case, CaseKind, CaseState
from kameng.reconciliation.selectors import (
    CaseFilter,
    list_case_notes,
    list_cases,
    may_be_booked,
    suggest_correction,
)
from kameng.reconciliation.services.deciding import (
    assign_case,
    book_case,
    close_case,
    get_case,
    note_case,
    query_case,
    reopen_case,
)
from kameng.tenancy.selectors import SiteView, list_sites_by_id
from kameng.web.forms import find_choice, find_text, find_whole
from kameng.web.pagination import paginate

PAGE_SIZE = 50
VIEWS: dict[str, tuple[Any, int | None]] = {
    "open": (gettext_lazy("待处理"), CaseState.OPEN),
    "closed": (gettext_lazy("已关闭"), CaseState.CLOSED),
    "all": (gettext_lazy("全部"), None),
}
SUGGESTIONS: dict[str, Any] = {
    "query": gettext_lazy("先向通道查询这笔支付；查到已付会按正常流程入账、发货。"),
    "book": gettext_lazy("核实是通道的数字对，就把差额记入账本的“对账差异”。"),
    "note": gettext_lazy("没有要更正的账，核实后写明依据并关闭。"),
}
ACTS: dict[str, Any] = {
    "noted": gettext_lazy("备注"),
    "assigned": gettext_lazy("指派给"),
    "closed": gettext_lazy("关闭"),
    "reopened": gettext_lazy("重开"),
    "queried": gettext_lazy("查询通道，答复"),
    "booked": gettext_lazy("记入账本"),
}


@console_page("money.reconcile")
def cases(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List differences, by state, kind, gateway, or any number."""
    view = find_choice(request, "view", choices=VIEWS, default="open")
    kind, gateway_id = find_whole(request, "kind"), find_whole(request, "gateway")
    text = find_text(request, "q", limit=64)
    wanted = CaseFilter(state=VIEWS[view][1], kind=kind, gateway_id=gateway_id, text=text)
    kept = {"q": text, "kind": kind or "", "gateway": gateway_id or ""}
    kept = {name: value for name, value in kept.items() if value}
    page = paginate(
        request,
        lambda before_id, limit: list_cases(wanted, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    names = {each.id: each.name for each in list_own_gateways()}
    context = {
        "views": [
            (urlencode({"view": key, **kept}), name, key == view)
            for key, (name, _state) in VIEWS.items()
        ],
        "view": view,
        "text": text,
        "kinds": [(value, label, value == kind) for value, label in CaseKind.choices],
        "gateways": [(key, name, key == gateway_id) for key, name in names.items()],
        "is_narrowed": bool(kept),
        "page": page,
        "rows": [(case, names.get(case.gateway_id, "")) for case in page.rows],
    }
    return show(request, "console/money/cases.html", context)


@console_page("money.reconcile")
def case(request: ConsoleRequest, site: SiteView, case_id: int) -> HttpResponse:
    """Show a difference with both sides, what it suggests, and what was done so far."""
    return _case_page(request, get_case(case_id), {})


def _case_page(
    request: ConsoleRequest, found: Case, forms: dict[str, Any], *, problem: str = ""
) -> HttpResponse:
    owner = found.subject_site_id
    sites = {row.id: row for row in list_sites_by_id([owner])} if owner else {}
    correction = suggest_correction(found)
    is_open = found.state == CaseState.OPEN
    context = {
        "case": found,
        "gateway": find_gateway(found.gateway_id),
        "subject_site": sites.get(owner) if owner else None,
        "suggestion": SUGGESTIONS[correction],
        "correction": correction,
        "is_open": is_open,
        "assignee": get_user(found.assignee_id) if found.assignee_id else None,
        "can_query": is_open and found.line_kind == "payment" and owner is not None,
        "can_book": may_be_booked(found),
        "notes": [(note, ACTS.get(note.act, note.act)) for note in list_case_notes(found.id)],
        "note_form": forms.get("note") or CaseNoteForm(),
        "close_form": forms.get("close") or CaseReasonForm(prefix="close"),
        "book_form": forms.get("book") or CaseReasonForm(prefix="book"),
        "open_dialog": next(iter(forms), ""),
        "problem": problem,
    }
    status = max([status_of(form) for form in forms.values()], default=200)
    return show(request, "console/money/case.html", context, status=status)


Act = Callable[[int, dict[str, Any], Actor], str]


def _take(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    assign_case(
        case_id=case_id,
        assignee_id=int(actor.actor_id or 0),
        assignee_name=actor.name,
        actor=actor,
    )
    return _("这个差异由您处理。")


def _note(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    note_case(case_id=case_id, text=data["text"], actor=actor)
    return _("备注已记下。")


def _close(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    close_case(case_id=case_id, reason=data["text"], actor=actor)
    return _("已关闭。")


def _reopen(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    reopen_case(case_id=case_id, reason=data["text"], actor=actor)
    return _("已重开。")


def _query(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    query_case(case_id=case_id, actor=actor)
    return _("已向通道查询，并重新核对了这一天。")


def _book(case_id: int, data: dict[str, Any], actor: Actor) -> str:
    book_case(case_id=case_id, reason=data["text"], actor=actor)
    return _("差额已记入账本，差异单已关闭。")


# What may be done: its form, the prefix of its fields, and the act.
DEEDS: dict[str, tuple[Any, str | None, Act]] = {
    "take": (EmptyForm, None, _take),
    "note": (CaseNoteForm, None, _note),
    "close": (CaseReasonForm, "close", _close),
    "reopen": (CaseReasonForm, "close", _reopen),
    "query": (EmptyForm, None, _query),
    "book": (CaseReasonForm, "book", _book),
}


@require_POST
@console_page("money.reconcile")
def case_act(request: ConsoleRequest, site: SiteView, case_id: int, act: str) -> HttpResponse:
    """Do one thing with a case: take it, note, ask the gateway, close, open again."""
    if act not in DEEDS or act == "book":
        raise Http404
    return _do(request, site, case_id, act)


@require_POST
@console_page("money.reconcile")
@confirmed
def book(request: ConsoleRequest, site: SiteView, case_id: int) -> HttpResponse:
    """Write the difference into the ledger."""
    return _do(request, site, case_id, "book")


def _do(request: ConsoleRequest, site: SiteView, case_id: int, act: str) -> HttpResponse:
    make, prefix, deed = DEEDS[act]
    found = get_case(case_id)
    form = make(request.POST, prefix=prefix) if prefix else make(request.POST)
    text = run_form(form, lambda: deed(case_id, form.cleaned_data, actor_of(request)))
    if text is not None:
        return done(request, text, to=reverse("console:case", args=[site.slug, case_id]))
    key = "close" if act == "reopen" else act
    problem = next(iter(form.non_field_errors()), "")
    return _case_page(request, found, {key: form}, problem=str(problem))
