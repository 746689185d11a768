"""The audit log: every sensitive act of a site, newest first, and each one whole."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from django.http import HttpRequest, HttpResponse

from kameng.console.audit_words import (
    ACTION_GROUPS,
    describe_action,
    describe_actor,
    describe_detail,
    describe_subject,
)
from kameng.console.forms.fields import read_id
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.core.audit import list_entries
from kameng.core.errors import NotFound
from kameng.core.scope import platform_scope
from kameng.tenancy.selectors import SiteView, list_sites_by_id

PAGE_SIZE = 50


@console_page("audit.view")
def audit_log(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the acts of this site; the platform owner may ask for those of all sites."""
    is_all = _sees_all(request, site) and request.GET.get("all") == "1"
    rows = _read(request, site, is_all=is_all)
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    query = request.GET.copy()
    if more:
        query["before"] = str(rows[-1].id)
    named = list_sites_by_id(list({row.site_id for row in rows if row.site_id})) if is_all else []
    names = {each.id: each.name for each in named}
    context = {
        "rows": [
            (row, describe_action(row.action), *_who_and_what(row), names.get(row.site_id, ""))
            for row in rows
        ],
        "groups": ACTION_GROUPS,
        "group": request.GET.get("group", ""),
        "text": request.GET.get("q", "")[:60],
        "is_all": is_all,
        "may_see_all": _sees_all(request, site),
        "older_url": f"?{query.urlencode()}" if more else "",
        "is_first": "before" not in request.GET,
    }
    return show(request, "console/audit_log/list.html", context)


@console_page("audit.view")
def audit_entry(request: ConsoleRequest, site: SiteView, entry_id: int) -> HttpResponse:
    """Show one act whole: who, when, from where, on what, with which figures."""
    is_all = _sees_all(request, site)
    with platform_scope("the platform owner reads an act") if is_all else nullcontext():
        found: Iterable[Any] = list_entries(site_id=None if is_all else site.site_id, id=entry_id)
        entry = next(iter(found[:1]), None)  # type: ignore[index]
    if entry is None:
        raise NotFound
    context = {
        "entry": entry,
        "title": describe_action(entry.action),
        "actor": _who_and_what(entry)[0],
        "subject": _who_and_what(entry)[1],
        "detail": describe_detail(entry.detail),
    }
    return show(request, "console/audit_log/entry.html", context)


def _who_and_what(entry: Any) -> tuple[str, str]:
    return (
        describe_actor(entry.actor_kind, entry.actor_name),
        describe_subject(entry.subject_kind, entry.subject_id),
    )


def _read(request: HttpRequest, site: SiteView, *, is_all: bool) -> list[Any]:
    filters: dict[str, Any] = {}
    group = request.GET.get("group", "")
    if group in ACTION_GROUPS:
        filters["action__startswith"] = f"{group}."
    text = request.GET.get("q", "")[:60].strip()
    before_id = read_id(request.GET.get("before"))
    with (
        platform_scope("the platform owner reads the acts of all sites")
        if is_all
        else (nullcontext())
    ):
        rows = list_entries(
            site_id=None if is_all else site.site_id, before_id=before_id, text=text, **filters
        )
        return list(rows[: PAGE_SIZE + 1])


def _sees_all(request: ConsoleRequest, site: SiteView) -> bool:
    return site.is_main and bool(getattr(request.person, "is_platform", False))
