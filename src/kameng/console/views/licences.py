"""Who runs a shop before the law: handed in by its operator, verified by the main site."""

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.accounts.services.passes import issue_pass
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.leaving import LicenceForm, PolicyForm, RefusalForm, licence_values
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.scope import platform_scope
from kameng.tenancy.addresses import site_url
from kameng.tenancy.errors import LicenceNotFound
from kameng.tenancy.licensing import (
    details_of,
    find_licence,
    find_verified_of,
    get_licence,
    list_decided_licences,
    list_licences,
    list_waiting_licences,
    refuse_licence,
    submit_licence,
    verify_licence,
    withdraw_licence,
)
from kameng.tenancy.models import Licence, LicenceKind, LicenceState
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import change_settings
from kameng.web.pagination import paginate

REASON = "the main site verifies who runs a shop"
LABELS = {name: field.label for name, field in LicenceForm.base_fields.items()}


@console_page("settings.edit")
@confirmed
def legal(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show what the shop shows, and hand in other details."""
    waiting, shown = find_licence(LicenceState.PENDING), find_licence(LicenceState.VERIFIED)
    history = list_licences()
    start = waiting or (history[0] if history else None)
    data = request.POST if request.method == "POST" else None
    form = LicenceForm(data, initial=licence_values(start))
    if form.is_bound:
        made = run_form(form, lambda: submit_licence(form.details(), actor=actor_of(request)))
        if made is not None:
            return done(request, _("已提交，等主站核实。"), to=request.path)
    refused = history[0] if history and history[0].state == LicenceState.REFUSED else None
    context = {
        "form": form,
        "waiting": waiting,
        "shown": shown,
        "shown_rows": _rows(shown) if shown else [],
        "refused": refused,
        "history": history,
        "is_preparing": site.is_preparing,
        "legal_url": f"{site_url(site.site_id)}/about/legal/",
    }
    return show(request, "console/licences/own.html", context, status=status_of(form))


@require_POST
@console_page("settings.edit")
def withdraw_legal(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take back what waits."""
    withdraw_licence(actor=actor_of(request))
    return done(request, _("已撤回。"), to=reverse("console:legal", args=[site.slug]))


@require_safe
@console_page("overview.view")
def look_inside(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Lead the operator to the shop that only he sees yet, with a pass for its host.

    A link and no form: a page's policy lets no form lead to another host.
    """
    url = f"{site_url(site.site_id)}/inside/{issue_pass()}/"
    response = HttpResponseRedirect(url, status=303)
    response["Cache-Control"] = "no-store"
    return response


@console_page("sites.manage")
@confirmed
def licences(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List what waits for the main site and what it decided; set what shops need."""
    settings = site.settings
    initial = {
        "licence_required": settings.licence_required,
        "closed_keep_days": settings.closed_keep_days,
    }
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound:

        def act() -> Any:
            changes = dict(form.cleaned_data)
            return change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))

        if run_form(form, act) is not None:
            return done(request, _("已保存，马上生效。"), to=request.path)
    page = paginate(
        request,
        lambda before_id, limit: list_decided_licences(before_id=before_id, limit=limit),
    )
    context = {"waiting": list_waiting_licences(), "page": page, "form": form}
    return show(request, "console/licences/queue.html", context, status=status_of(form))


@console_page("sites.manage")
def licence(request: ConsoleRequest, site: SiteView, licence_id: int) -> HttpResponse:
    """Show details beside what the shop shows now."""
    return _show_one(request, get_licence(licence_id), RefusalForm())


@require_POST
@console_page("sites.manage")
@confirmed
def decide_licence(request: ConsoleRequest, site: SiteView, licence_id: int) -> HttpResponse:
    """Verify details, or refuse them with a reason."""
    found = get_licence(licence_id)
    form = RefusalForm(request.POST)
    url = reverse("console:licences", args=[site.slug])
    if request.POST.get("action") == "verify":
        try:
            with platform_scope(REASON):
                verify_licence(licence_id, actor=actor_of(request))
        except LicenceNotFound as refusal:
            form.errors.clear()
            return _show_one(
                request, found, RefusalForm(), problem=refusal.text(), status=refusal.status
            )
        return done(request, _("已核实，店里马上显示。"), to=url)

    def act() -> Licence:
        with platform_scope(REASON):
            return refuse_licence(
                licence_id, note=form.cleaned_data["note"], actor=actor_of(request)
            )

    if run_form(form, act) is None:
        return _show_one(request, found, form, status=status_of(form))
    return done(request, _("已退回，站长会看到原因。"), to=url)


def _show_one(
    request: ConsoleRequest,
    found: Licence,
    form: RefusalForm,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    shown = find_verified_of(found.site_id)
    context = {
        "licence": found,
        "shown_site": found.site,
        "rows": _rows(found, against=shown),
        "has_shown": shown is not None and shown.id != found.id,
        "form": form,
        "problem": problem,
        "is_waiting": found.state == LicenceState.PENDING,
    }
    return show(request, "console/licences/detail.html", context, status=status)


def _rows(found: Licence, *, against: Licence | None = None) -> list[tuple[Any, str, str, bool]]:
    """Return each detail as (label, new, shown now, whether they differ); empty ones left out."""
    old = details_of(against) if against else None
    new, rows = details_of(found), []
    for name, label in LABELS.items():
        value = _say(name, getattr(new, name))
        before = _say(name, getattr(old, name)) if old else ""
        if value or before:
            rows.append((label, value, before, old is not None and value != before))
    return rows


def _say(name: str, value: Any) -> str:
    return str(LicenceKind(value).label) if name == "kind" else str(value)
