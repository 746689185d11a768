"""Splits as the main site sees them, and the terms of settlement that it sets."""

from typing import Any

from django.http import FileResponse, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.exports_settlement import export_splits
from kameng.console.forms.orders import EmptyForm
from kameng.console.forms.settlement import RowForm, TermsForm, terms_values
from kameng.console.paging import page_urls, read_site_page
from kameng.console.settlement_words import SPLIT_VIEWS, split_reason
from kameng.console.views.confirming import confirmed
from kameng.console.views.exports import send_export
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.reviewing import review_page
from kameng.core.errors import NotFound
from kameng.settlement.models import Terms
from kameng.settlement.selectors import list_all_splits, list_terms, name_sites
from kameng.settlement.services.reserving import give_up_split, retry_split
from kameng.settlement.services.terms import change_terms, drop_terms
from kameng.tenancy.selectors import SiteView, get_site
from kameng.tenancy.site_lists import SiteFilter
from kameng.web.forms import find_choice, read_choice
from kameng.web.pagination import paginate

PAGE_SIZE = 50
REVIEW = "settlement.review"
ACTS = {"retry": retry_split, "give_up": give_up_split}


@review_page
def splits(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the shares of every sub-site, with errors and what can be done."""
    return _page(request, EmptyForm())


def _page(request: ConsoleRequest, form: Any) -> HttpResponse:
    view = find_choice(request, "view", choices=SPLIT_VIEWS, default="all")
    states = SPLIT_VIEWS[view][1]
    page = paginate(
        request,
        lambda before_id, limit: list_all_splits(states=states, before_id=before_id, limit=limit),
        size=PAGE_SIZE,
    )
    names = name_sites(row.site_id for row in page.rows)
    context = {
        "form": form,
        "view": view,
        "views": [(key, name, key == view) for key, (name, _states) in SPLIT_VIEWS.items()],
        "page": page,
        "rows": [(row, names.get(row.site_id, ""), split_reason(row)) for row in page.rows],
        "is_main": True,
        "export_query": f"view={view}",
    }
    return show(request, "console/settlement/splits.html", context, status=status_of(form))


@require_POST
@review_page
@confirmed
def act_on_split(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Try a refused share again, or free its payment."""
    form = RowForm(request.POST)
    act = ACTS[read_choice(request, "action", choices=ACTS)]
    moved = run_form(
        form, lambda: act(split_id=form.cleaned_data["row_id"], actor=actor_of(request))
    )
    if moved is None:
        return _page(request, form)
    return done(request, _("已安排。"), to=reverse("console:splits", args=[site.slug]))


@require_POST
@console_page("data.export")
@confirmed
def splits_file(request: ConsoleRequest, site: SiteView) -> FileResponse:
    """Give the splits of the list."""
    if not request.person.can(REVIEW if site.is_main else "money.view", site.site_id):
        raise PermissionMissing
    view = find_choice(request, "view", choices=SPLIT_VIEWS, default="all")
    return send_export(request, site, export_splits(SPLIT_VIEWS[view][1], site=site))


@console_page("sites.manage")
def settlement_terms(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the terms of all, and by page and search which sub-sites have their own."""
    if not site.is_main:
        raise PermissionMissing
    wanted = SiteFilter(text=request.GET.get("q", "").replace("\x00", ""))
    page = read_site_page(request, wanted, size=PAGE_SIZE)
    stored = list_terms([row.id for row in page.rows])
    context = {
        "own": stored.get(site.site_id) or Terms(site_id=site.site_id),
        "rows": [(row.id, row.name, stored.get(row.id)) for row in page.rows if not row.is_main],
        "wanted": wanted,
        **page_urls(request, page),
    }
    return show(request, "console/settlement/terms.html", context)


@console_page("sites.manage")
@confirmed
def edit_terms(request: ConsoleRequest, site: SiteView, site_id: int) -> HttpResponse:
    """Change the terms of all sub-sites (the main site's own id), or of one."""
    shown = get_site(site_id)
    if not site.is_main or shown.main_id != site.site_id:
        raise NotFound
    stored = list_terms([site_id])
    terms = stored.get(site_id) or stored.get(site.site_id) or Terms(site_id=site_id)
    data = request.POST if request.method == "POST" else None
    form = TermsForm(data, initial=terms_values(terms))
    if form.is_bound and _save(request, site_id, form) is not None:
        return done(
            request, _("已保存。"), to=reverse("console:settlement_terms", args=[site.slug])
        )
    context = {
        "form": form,
        "is_all": site_id == site.site_id,
        "name": shown.name,
        "has_own": site_id in stored and site_id != site.site_id,
    }
    return show(request, "console/settlement/terms_edit.html", context, status=status_of(form))


def _save(request: ConsoleRequest, site_id: int, form: TermsForm) -> Any:
    actor = actor_of(request)
    if request.POST.get("action") == "drop":
        return drop_terms(site_id=site_id, actor=actor)
    return run_form(form, lambda: change_terms(site_id=site_id, wish=form.wish(), actor=actor))
