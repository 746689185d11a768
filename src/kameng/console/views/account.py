"""One's own account in the back office: password, and where one is signed in."""

from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.selectors import list_sessions
from kameng.accounts.services.sessions import close_session_by_handle, renew_session
from kameng.accounts.services.staff import change_staff_password
from kameng.console.answers import done
from kameng.console.forms.people import PasswordForm
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import admit_password_change
from kameng.tenancy.selectors import SiteView, scope_of
from kameng.web.cookies import give_session, session_token


@console_page("overview.view")
def account(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the person's own password form and sessions."""
    return _show_account(request, PasswordForm())


@console_page("overview.view")
def change_password(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Change the person's own password; other sessions end."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("console:account", args=[site.slug]))
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _show_account(request, form, status=400)
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
        return _show_account(request, form, status=refusal.status, fault=refusal.text())
    url = reverse("console:account", args=[site.slug])
    response = done(request, _("密码已修改，其他设备上的登录已退出。"), to=url)
    with open_scope(scope_of(request.site)):  # a copy of the session must not outlive the password
        give_session(request, response, renew_session(session_token(request)))
    return response


@console_page("overview.view")
def end_session(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """End one of the person's own sessions."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    with open_scope(scope_of(request.site)):  # sessions belong to the host's site
        close_session_by_handle(request.person, handle=request.POST.get("handle", "")[:64])
    return done(request, _("那台设备已退出登录。"), to=reverse("console:account", args=[site.slug]))


def _show_account(
    request: ConsoleRequest, form: PasswordForm, *, status: int = 200, fault: str = ""
) -> HttpResponse:
    with open_scope(scope_of(request.site)):
        sessions = list_sessions(request.person, token=session_token(request))
    context = {"form": form, "sessions": sessions, "fault": fault}
    return show(request, "console/account.html", context, status=status)
