"""One's own account in the back office: password, second factor, and where one is signed in."""

from typing import Any

from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.selectors import list_sessions, list_trusted_devices, view_factors
from kameng.accounts.services.sessions import (
    close_other_sessions,
    close_session_by_handle,
    renew_session,
)
from kameng.accounts.services.staff import change_staff_password
from kameng.console.answers import done
from kameng.console.audit_words import describe_action
from kameng.console.forms.people import PasswordForm
from kameng.console.second_factor_rule import find_due, is_needed, is_overdue
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.core.audit import list_entries_about
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import admit_password_change
from kameng.tenancy.selectors import SiteView, scope_of
from kameng.web.cookies import device_token, give_session, safe_next, session_token

RECENT = 8


@console_page(None)
def account(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the person's own password form, second factor, sessions and trusted devices."""
    return show_account(request, PasswordForm())


@console_page(None)
def change_password(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Change the person's own password; other sessions end."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("console:account", args=[site.slug]))
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return show_account(request, form, status=400)
    user_id = int(request.person.user_id or 0)
    try:
        admit_password_change(f"user:{user_id}")
        change_staff_password(
            user_id,
            old_password=form.cleaned_data["old_password"],
            new_password=form.cleaned_data["new_password"],
            keep_token=session_token(request),
        )
    except Refusal as refusal:
        return show_account(request, form, status=refusal.status, fault=refusal.text())
    url = reverse("console:account", args=[site.slug])
    response = done(request, _("密码已修改，其他设备上的登录已退出。"), to=url)
    with open_scope(scope_of(request.site)):  # a copy of the session must not outlive the password
        give_session(request, response, renew_session(session_token(request)))
    return response


@console_page(None)
def end_session(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """End one of the person's own sessions, or all but this one."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    url = reverse("console:account", args=[site.slug])
    with open_scope(scope_of(request.site)):  # sessions belong to the host's site
        if request.POST.get("all") == "1":
            close_other_sessions(request.person, keep_token=session_token(request))
            return done(request, _("其他设备都已退出登录。"), to=url)
        close_session_by_handle(request.person, handle=request.POST.get("handle", "")[:64])
    return done(request, _("那台设备已退出登录。"), to=url)


def show_account(
    request: ConsoleRequest, form: PasswordForm, *, status: int = 200, fault: str = ""
) -> HttpResponse:
    """Show one's page of security again."""
    user_id, site = int(request.person.user_id or 0), request.working
    with open_scope(scope_of(request.site)):
        sessions = list_sessions(request.person, token=session_token(request))
        devices = list_trusted_devices(user_id, token=device_token(request))
        recent = _recent(user_id, site_id=request.site.site_id)
    due = find_due(request, site)
    context = {
        "form": form,
        "sessions": sessions,
        "devices": devices,
        "recent": recent,
        "fault": fault,
        "factors": view_factors(user_id),
        "host": request.get_host(),
        "is_setup": request.GET.get("setup") == "1" and due is not None,
        "is_needed": is_needed(request, site),
        "due": due,
        "is_overdue": is_overdue(due, site),
        "next": safe_next(request, default=reverse("console:enter")),
    }
    return show(request, "console/account.html", context, status=status)


def _recent(user_id: int, *, site_id: int) -> list[tuple[str, Any]]:
    entries = list_entries_about([("user", str(user_id))], site_id=site_id)[:RECENT]
    return [(describe_action(entry.action), entry) for entry in entries]
