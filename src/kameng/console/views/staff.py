"""Staff of a site: who works here as what, inviting, roles, first passwords, leaving."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.errors import UserNotFound
from kameng.accounts.models import Role, SiteRole, User
from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import (
    find_member,
    get_user,
    list_custom_roles,
    list_invitations,
    list_platform_users,
    list_protected,
    list_staff,
)
from kameng.accounts.services.inviting import (
    NewMember,
    invite_staff,
    require_own_member,
    reset_site_password,
)
from kameng.accounts.services.second_factors import reset_second_factor
from kameng.accounts.services.staff import (
    grant_role,
    revoke_role,
    set_role_suspended,
    set_staff_password,
    set_user_active,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import OneselfReset
from kameng.console.forms.staff import (
    InviteForm,
    RoleChoice,
    RoleForm,
    list_choices,
    split_role,
)
from kameng.console.initial_password import make_initial_password
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.risk.services import pardon_account, pardon_second_step
from kameng.tenancy.selectors import SiteView, get_limits
from kameng.web.forms import read_choice


@console_page("staff.manage")
@confirmed
def staff(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show who works here, and make an account with a first password."""
    if request.method != "POST":
        return show_list(request, site, {})
    form = InviteForm(request.POST, choices=_givable(request, site))
    password = make_initial_password()

    def act() -> User:
        role, custom_role_id = split_role(form.cleaned_data["role"])
        return invite_staff(
            NewMember(
                login_text=form.cleaned_data["login"],
                display_name=form.cleaned_data["display_name"],
                password=password,
                role=role,
                custom_role_id=custom_role_id,
            ),
            actor=actor_of(request),
            holder=holder_of(request, site),
        )

    invited = run_form(form, act)
    if invited is not None:
        return _show_password(request, invited, password, is_new=True)
    return show_list(request, site, {"form": form}, status=status_of(form))


def holder_of(request: ConsoleRequest, site: SiteView) -> frozenset[str]:
    """Return all that the person may do here, and so may give."""
    person = request.person
    return person.permissions(site.site_id) if isinstance(person, StaffPerson) else frozenset()


def _givable(request: ConsoleRequest, site: SiteView) -> list[RoleChoice]:
    return list_givable(holder_of(request, site))


def list_givable(holder: frozenset[str]) -> list[RoleChoice]:
    """Return the roles of the site in force that who holds these permissions may give."""
    return [each for each in list_choices(list_custom_roles()) if each.permissions <= holder]


def show_list(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Show the list of staff, perhaps with what went wrong."""
    is_platform = bool(getattr(request.person, "is_platform", False))
    rows, choices = list_staff(), _givable(request, site)
    customs = {role.id: role.name for role in list_custom_roles()}
    values = {
        "form": InviteForm(choices=choices),
        "members": [_member_line(row) for row in rows],
        "protected": list_protected([row.user_id for row in rows]),
        "platform_users": list_platform_users() if is_platform and site.is_main else [],
        "choices": choices,
        "customs": customs,
        "invitation_count": len(list_invitations()),
        "limit": get_limits(site.site_id).staff_most,
        "used": max(0, len(rows) - 1),
        "tab": "members",
    } | context
    return show(request, "console/staff/list.html", values, status=status)


def _member_line(row: SiteRole) -> tuple[SiteRole, str]:
    custom = row.custom_role
    return row, custom.name if custom is not None else str(Role(row.role).label)


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
    require_here(user_id)
    actor, holder = actor_of(request), holder_of(request, site)
    if request.POST.get("action") == "leave":
        return _act(
            request,
            site,
            lambda: revoke_role(user_id=user_id, actor=actor, holder=holder),
            text=_("已移除，他马上不能再进入这个站点的后台。"),
        )
    form = RoleForm(request.POST, choices=_givable(request, site))
    if not form.is_valid():
        return show_list(request, site, {"problem": _("请选择您能给出的角色。")}, status=400)
    role, custom_role_id = split_role(form.cleaned_data["role"])
    return _act(
        request,
        site,
        lambda: grant_role(
            user_id=user_id, role=role, custom_role_id=custom_role_id, actor=actor, holder=holder
        ),
        text=_("角色已更改，马上生效。"),
    )


@require_POST
@console_page("staff.manage")
@confirmed
def suspend(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Let a member's role here rest, or give it back; from the next request on."""
    require_here(user_id)
    is_suspended = read_choice(request, "action", choices=("suspend", "resume")) == "suspend"
    text = _("已停用，他的下一次点击就会被拒绝。") if is_suspended else _("已恢复，可以登录了。")
    return _act(
        request,
        site,
        lambda: set_role_suspended(
            user_id=user_id,
            is_suspended=is_suspended,
            actor=actor_of(request),
            holder=holder_of(request, site),
        ),
        text=text,
    )


@require_POST
@console_page("staff.manage")
@confirmed
def renew_password(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Give a member of staff a new first password; every session of theirs ends."""
    require_here(user_id)
    password, actor = make_initial_password(), actor_of(request)
    try:
        if getattr(request.person, "is_platform", False):
            set_staff_password(user_id, new_password=password, actor=actor)
        else:
            reset_site_password(
                user_id, new_password=password, actor=actor, holder=holder_of(request, site)
            )
    except Refusal as refusal:
        return show_list(request, site, {"problem": refusal.text()}, status=refusal.status)
    user = get_user(user_id)
    pardon_account(site_id=site.site_id, login=user.login, is_staff=True)
    return _show_password(request, user, password, is_new=False)


@require_POST
@console_page("staff.manage")
@confirmed
def reset_factor(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Take the second factor of a member away who lost it; they sign in by password and set up."""
    require_here(user_id)

    def act() -> None:
        if user_id == request.person.user_id:
            raise OneselfReset
        if not getattr(request.person, "is_platform", False):
            require_own_member(user_id, holder=holder_of(request, site))
        reset_second_factor(user_id, actor=actor_of(request))
        pardon_second_step(user_id)

    return _act(request, site, act, text=_("两步验证已重置，他的登录已全部退出，并已通知本人。"))


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


def require_here(user_id: int) -> SiteRole:
    """Return the membership of a user on the site in force. Raises `UserNotFound`."""
    row = find_member(user_id)
    if row is None:
        raise UserNotFound
    return row


def _act(request: ConsoleRequest, site: SiteView, act: Any, *, text: str) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        return show_list(request, site, {"problem": refusal.text()}, status=refusal.status)
    return done(request, text, to=reverse("console:staff", args=[site.slug]))
