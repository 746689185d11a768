"""Roles of a site: what each may do, on one screen; making, changing and deleting its own."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.models import CustomRole
from kameng.accounts.selectors import (
    GIVABLE,
    PLATFORM_ROLE,
    get_custom_role,
    list_custom_roles,
    list_staff,
)
from kameng.accounts.services.custom_roles import (
    RoleWish,
    change_custom_role,
    delete_custom_role,
    list_holders,
    make_custom_role,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.staff import (
    RULE_ROLES,
    CustomRoleForm,
    RoleChoice,
    RuleForm,
    group_permissions,
    list_choices,
    role_value,
)
from kameng.console.second_factor_rule import forget_rules
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.staff import holder_of
from kameng.core.errors import Refusal
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import change_settings


@console_page("staff.manage")
def roles(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show every role and what it may do."""
    return _show_roles(request, site, {})


def _show_roles(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    choices = list_choices(list_custom_roles())
    holders: dict[str, list[str]] = {}
    for row in list_staff():
        value = role_value(row.role, row.custom_role_id)
        holders.setdefault(value, []).append(row.user.display_name)
    holder = holder_of(request, site)
    values = {
        "cards": [
            (choice, holders.get(choice.value, []), choice.permissions <= holder)
            for choice in choices
        ],
        "groups": _matrix(choices),
        "choices": choices,
        "tab": "roles",
    } | context
    return show(request, "console/staff/roles.html", values, status=status)


def _matrix(choices: list[RoleChoice]) -> list[tuple[str, str, list[tuple[Any, list[bool]]]]]:
    return [
        (
            label,
            icon,
            [(line, [line.name in each.permissions for each in choices]) for line in lines],
        )
        for label, icon, lines in group_permissions(GIVABLE)
    ]


@console_page("staff.manage")
@confirmed
def new_role(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Make a role, beginning from a preset or another role of the site."""
    start = _find_start(request)
    initial = {"name": "", "note": ""}
    form = CustomRoleForm(request.POST if request.method == "POST" else None, initial=initial)
    picked = _read_picked(request) if form.is_bound else (start.permissions if start else ())
    if form.is_bound:
        made = run_form(
            form,
            lambda: make_custom_role(
                _wish(form, frozenset(picked)),
                holder=holder_of(request, site),
                actor=actor_of(request),
            ),
        )
        if made is not None:
            url = reverse("console:roles", args=[site.slug])
            return done(request, _("角色已建好，可以给员工用了。"), to=url)
    context = {"form": form, "start": start, "starts": list_choices(list_custom_roles())}
    return _show_form(request, site, frozenset(picked), context)


@console_page("staff.manage")
@confirmed
def role(request: ConsoleRequest, site: SiteView, role_id: int) -> HttpResponse:
    """Change a role of the site; who has it feels it at the next click."""
    kept = get_custom_role(role_id)
    initial = {"name": kept.name, "note": kept.note}
    form = CustomRoleForm(request.POST if request.method == "POST" else None, initial=initial)
    picked = _read_picked(request) if form.is_bound else frozenset(kept.permissions)
    if form.is_bound:
        changed: CustomRole | None = run_form(
            form,
            lambda: change_custom_role(
                role_id,
                wish=_wish(form, picked),
                holder=holder_of(request, site),
                actor=actor_of(request),
            ),
        )
        if changed is not None:
            url = reverse("console:roles", args=[site.slug])
            return done(request, _("已保存，用这个角色的人马上按新的来。"), to=url)
    is_beyond = not frozenset(kept.permissions) & GIVABLE <= holder_of(request, site)
    context = {
        "form": form,
        "role": kept,
        "holders": list_holders(role_id),
        "is_beyond": is_beyond,
    }
    return _show_form(request, site, picked, context)


@require_POST
@console_page("staff.manage")
@confirmed
def remove_role(request: ConsoleRequest, site: SiteView, role_id: int) -> HttpResponse:
    """Delete a role that nobody has."""
    try:
        delete_custom_role(role_id, holder=holder_of(request, site), actor=actor_of(request))
    except Refusal as refusal:
        return _show_roles(request, site, {"problem": refusal.text()}, status=refusal.status)
    return done(request, _("角色已删除。"), to=reverse("console:roles", args=[site.slug]))


def _show_form(
    request: ConsoleRequest, site: SiteView, picked: frozenset[str], context: dict[str, Any]
) -> HttpResponse:
    values = {
        "groups": group_permissions(holder_of(request, site)),
        "picked": picked,
        "tab": "roles",
    } | context
    status = status_of(context["form"])
    return show(request, "console/staff/role.html", values, status=status)


def _find_start(request: ConsoleRequest) -> RoleChoice | None:
    wanted = request.GET.get("from", "")
    choices = {each.value: each for each in list_choices(list_custom_roles())}
    return choices.get(wanted)


def _read_picked(request: ConsoleRequest) -> frozenset[str]:
    return frozenset(request.POST.getlist("permissions")[: len(GIVABLE) + 1])


def _wish(form: CustomRoleForm, picked: frozenset[str]) -> RoleWish:
    return RoleWish(
        name=form.cleaned_data["name"], note=form.cleaned_data["note"], permissions=picked
    )


@console_page("staff.manage")
@confirmed
def sign_in_rule(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Decide which roles must have a second factor, and from when."""
    kept = site.settings
    initial = {
        "from_day": kept.second_factor_from,
        "remember_days": str(kept.remember_device_days),
        "is_everywhere": kept.second_factor_everywhere,
    }
    form = RuleForm(request.POST if request.method == "POST" else None, initial=initial)
    picked = (
        [each for each in RULE_ROLES if each in request.POST.getlist("roles")]
        if form.is_bound
        else list(kept.second_factor_roles)
    )

    def act() -> object:
        day = form.cleaned_data["from_day"]
        changes: dict[str, object] = {
            "second_factor_roles": picked,
            "second_factor_from": day.isoformat() if day else "",
            "remember_device_days": int(form.cleaned_data["remember_days"]),
        }
        if site.is_main:
            changes["second_factor_everywhere"] = form.cleaned_data["is_everywhere"]
        return change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))

    if form.is_bound and run_form(form, act) is not None:
        forget_rules()
        return done(request, _("已保存。"), to=request.path)
    offered = [each for each in list_choices(()) if each.value in RULE_ROLES]
    context = {
        "form": form,
        "picked": picked,
        "offered": offered,
        "platform_role": PLATFORM_ROLE,
        "tab": "rule",
    }
    return show(request, "console/staff/rule.html", context, status=status_of(form))
