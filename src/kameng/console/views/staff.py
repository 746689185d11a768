"""Staff of a site: who works here as what, inviting, roles, first passwords, leaving."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.errors import UserNotFound
from kameng.accounts.models import Role, User
from kameng.accounts.selectors import get_user, list_platform_users, list_staff
from kameng.accounts.services.inviting import invite_staff, reset_site_password
from kameng.accounts.services.staff import (
    grant_role,
    revoke_role,
    set_staff_password,
    set_user_active,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.staff import ROLE_NOTES, InviteForm, RoleForm, role_matrix
from kameng.console.initial_password import make_initial_password
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.risk.services import pardon_account
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import read_choice


@console_page("staff.manage")
@confirmed
def staff(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show who works here, and invite someone."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        password = make_initial_password()

        def act() -> User:
            return invite_staff(
                login_text=form.cleaned_data["login"],
                display_name=form.cleaned_data["display_name"],
                password=password,
                role=form.cleaned_data["role"],
                actor=actor_of(request),
            )

        invited = run_form(form, act)
        if invited is not None:
            return _show_password(request, invited, password, is_new=True)
    return _show_list(request, site, {"form": form}, status=status_of(form))


def _show_list(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    is_platform = request.person.is_staff and getattr(request.person, "is_platform", False)
    values = {
        "form": InviteForm(),
        "rows": list_staff(),
        "platform_users": list_platform_users() if is_platform and site.is_main else [],
        "roles": [(value, label, ROLE_NOTES[value]) for value, label in Role.choices],
        "matrix": role_matrix(),
    } | context
    return show(request, "console/staff/list.html", values, status=status)


def _show_password(
    request: ConsoleRequest, user: User, password: str, *, is_new: bool
) -> HttpResponse:
    context = {"user": user, "password": password, "is_new": is_new}
    response = show(request, "console/staff/password.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@console_page("staff.manage")
@confirmed
def set_role(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Give a member of staff another role, or take the role away."""
    _require_here(user_id)
    if request.POST.get("action") == "leave":
        return _act(
            request,
            site,
            lambda: revoke_role(user_id=user_id, actor=actor_of(request)),
            text=_("已移除，他马上不能再进入这个站点的后台。"),
        )
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _show_list(request, site, {"problem": _("请选择角色。")}, status=400)
    role = form.cleaned_data["role"]
    return _act(
        request,
        site,
        lambda: grant_role(user_id=user_id, role=role, actor=actor_of(request)),
        text=_("角色已更改，马上生效。"),
    )


@require_POST
@console_page("staff.manage")
@confirmed
def renew_password(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Give a member of staff a new first password; every session of theirs ends."""
    _require_here(user_id)
    password, actor = make_initial_password(), actor_of(request)
    try:
        if getattr(request.person, "is_platform", False):
            with platform_scope("the platform renews a password of staff"):
                set_staff_password(user_id, new_password=password, actor=actor)
        else:
            reset_site_password(user_id, new_password=password, actor=actor)
    except Refusal as refusal:
        return _show_list(request, site, {"problem": refusal.text()}, status=refusal.status)
    user = get_user(user_id)
    pardon_account(site_id=site.site_id, login=user.login, is_staff=True)
    return _show_password(request, user, password, is_new=False)


@require_POST
@console_page("sites.manage")
@confirmed
def set_active(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Switch a user off everywhere, or let one in again: the platform's right alone."""
    is_active = read_choice(request, "action", choices=("activate", "deactivate")) == "activate"
    text = _("已恢复，可以登录了。") if is_active else _("已停用，他在所有站点都不能登录了。")
    return _act(
        request,
        site,
        lambda: set_user_active(user_id, is_active=is_active, actor=actor_of(request)),
        text=text,
    )


def _require_here(user_id: int) -> None:
    if all(row.user_id != user_id for row in list_staff()):
        raise UserNotFound


def _act(request: ConsoleRequest, site: SiteView, act: Any, *, text: str) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        return _show_list(request, site, {"problem": refusal.text()}, status=refusal.status)
    return done(request, text, to=reverse("console:staff", args=[site.slug]))
