"""One member of staff: role, where signed in, what they did, suspension, a lost second factor."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.errors import MemberBeyond
from kameng.accounts.models import Role
from kameng.accounts.selectors import list_custom_roles, list_member_sessions, view_factors
from kameng.accounts.services.inviting import list_site_ids, works_here_alone
from kameng.accounts.services.sessions import close_member_session, close_member_sessions
from kameng.accounts.services.standing import membership_permissions
from kameng.console.answers import done
from kameng.console.audit_words import describe_action, describe_subject
from kameng.console.forms.staff import group_permissions, list_choices, role_value
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.staff import holder_of, require_here
from kameng.core.audit import list_entries
from kameng.tenancy.selectors import SiteView

ACTS_SHOWN = 12


@console_page("staff.manage")
def member(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Show a member: what they may do, where they are signed in, what they did lately."""
    row = require_here(user_id)
    holder, mine = holder_of(request, site), membership_permissions(row)
    is_platform = bool(getattr(request.person, "is_platform", False))
    is_alone = works_here_alone(row.user)
    choices = [each for each in list_choices(list_custom_roles()) if each.permissions <= holder]
    is_within, is_self = mine <= holder, row.user_id == request.person.user_id
    context = {
        "member": row,
        "user": row.user,
        "role_name": row.custom_role.name if row.custom_role else Role(row.role).label,
        "current": role_value(row.role, row.custom_role_id),
        "choices": choices,
        "groups": _lines(mine),
        "sessions": list_member_sessions(user_id, site_ids=_reach(request, user_id)),
        "acts": _acts(user_id, site.site_id),
        "factors": view_factors(user_id),
        "is_self": is_self,
        "may_change": is_within,
        "may_reset": is_within and not is_self and (is_alone or is_platform),
        "works_elsewhere": not is_alone,
        "tab": "members",
    }
    return show(request, "console/staff/member.html", context)


@require_POST
@console_page("staff.manage")
@confirmed
def end_member_sessions(request: ConsoleRequest, site: SiteView, user_id: int) -> HttpResponse:
    """Sign a member out in one browser, or everywhere that this site may speak for."""
    row = require_here(user_id)
    if not membership_permissions(row) <= holder_of(request, site):
        raise MemberBeyond
    site_ids = _reach(request, user_id)
    url = reverse("console:member", args=[site.slug, user_id])
    handle = request.POST.get("handle", "")[:64]
    if handle:
        close_member_session(user_id, handle=handle, site_ids=site_ids)
        return done(request, _("那台设备已退出登录。"), to=url)
    close_member_sessions(user_id, site_ids=site_ids, actor=actor_of(request))
    return done(request, _("他在所有设备上的登录已退出。"), to=url)


def _reach(request: ConsoleRequest, user_id: int) -> set[int]:
    """Return the sites whose sessions of a member may be seen and ended from here.

    Of who works here alone that is the main site's host too, where operators may sign in; of
    others this site's only. The platform sees all.
    """
    site = request.working
    site_ids = list_site_ids(user_id)
    is_platform = bool(getattr(request.person, "is_platform", False))
    if is_platform or site_ids == {site.site_id}:
        return site_ids | {site.site_id, site.main_id}
    return {site.site_id}


def _lines(mine: frozenset[str]) -> list[tuple[str, str, list[Any]]]:
    """Return the groups of permissions of which the member has some, with those alone."""
    groups = [
        (label, icon, [line for line in lines if line.may_give])
        for label, icon, lines in group_permissions(mine)
    ]
    return [group for group in groups if group[2]]


def _acts(user_id: int, site_id: int) -> list[tuple[str, str, Any]]:
    entries = list_entries(site_id=site_id, actor_kind="user", actor_id=user_id)[:ACTS_SHOWN]
    return [
        (
            describe_action(entry.action),
            describe_subject(entry.subject_kind, entry.subject_id),
            entry,
        )
        for entry in entries
    ]
