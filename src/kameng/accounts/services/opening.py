"""Opening a site whole: the site, its host, its owner, in one transaction."""

from dataclasses import dataclass

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.models import Role, User
from kameng.accounts.rules import clean_nickname, clean_staff_login
from kameng.accounts.services.passwords import hash_new_password
from kameng.accounts.services.staff import NewUser, grant_role, insert_user
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.tenancy.children import create_child
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import get_plan, has_main_site, site_scope
from kameng.tenancy.services import add_domain, create_site
from kameng.tenancy.settings import SiteSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the form of a new site says. Without an owner's password the login must exist."""

    slug: str
    name: str
    host: str
    plan_id: int | None
    owner_login: str
    owner_name: str = ""
    owner_password: str = ""
    settings: SiteSettings = SiteSettings()


def clean_shop_name(raw: str) -> str:
    """Return the name of a shop in its stored form; raise `NicknameInvalid`."""
    name = clean_nickname(raw)
    if not name:
        raise errors.NicknameInvalid
    return name


def open_sub_site(opening: Opening, *, actor: Actor) -> Site:
    """Open a sub-site of the main site with its host and its owner: all of it, or nothing.

    Raises what the parts raise: `SlugInvalid`, `SlugTaken`, `HostInvalid`, `HostTaken`,
    `PlanNotFound`, `UserNotFound`, and the refusals of logins and passwords.
    """
    if opening.plan_id is None:
        raise errors.PlanMissing
    owner = _new_owner(opening)
    with platform_scope("open a sub-site"), transaction.atomic():
        plan = get_plan(opening.plan_id)
        return _open(opening, plan=plan, owner=owner, actor=actor)


def open_child_site(opening: Opening, *, upline_id: int, actor: Actor) -> Site:
    """Open a child site of a sub-site with its host and its owner: all of it, or nothing.

    Its plan is its upline's. Locks the upline, so that no more are opened than its plan allows.
    Raises what `open_sub_site` raises, `ChildrenForbidden`, `ChildrenFull`, `ChildOfChild`.
    """
    owner = _new_owner(opening)
    with platform_scope("open a child site"), transaction.atomic():
        name = clean_shop_name(opening.name)
        site = create_child(
            upline_id=upline_id,
            slug=opening.slug,
            name=name,
            settings=opening.settings,
            actor=actor,
        )
        return _equip(site, opening, owner=owner, actor=actor)


def open_main_site(opening: Opening, *, actor: Actor) -> Site:
    """Open the main site, once; its owner becomes an administrator of the platform.

    Raises what `open_sub_site` raises, and `MainSiteExists` when there is one.
    """
    owner = _new_owner(opening, is_platform=True)
    with platform_scope("open the main site"), transaction.atomic():
        if has_main_site():
            raise errors.MainSiteExists
        return _open(opening, plan=None, owner=owner, actor=actor)


def _new_owner(opening: Opening, *, is_platform: bool = False) -> NewUser | None:
    """Check and hash before the transaction; None when the owner is a user who exists."""
    login = clean_staff_login(opening.owner_login)
    if login is None:
        raise errors.StaffLoginInvalid
    if not opening.owner_password and not is_platform:
        return None
    return NewUser(
        login=login,
        display_name=clean_nickname(opening.owner_name) or login[:20],
        encoded=hash_new_password(opening.owner_password, login=login),
        is_platform=is_platform,
    )


def _open(opening: Opening, *, plan: Plan | None, owner: NewUser | None, actor: Actor) -> Site:
    name = clean_shop_name(opening.name)
    site = create_site(
        slug=opening.slug, name=name, plan=plan, settings=opening.settings, actor=actor
    )
    return _equip(site, opening, owner=owner, actor=actor)


def _equip(site: Site, opening: Opening, *, owner: NewUser | None, actor: Actor) -> Site:
    """Give a new site its host and its owner."""
    add_domain(site_id=site.id, host=opening.host, is_primary=True, actor=actor)
    if owner is None:
        login = clean_staff_login(opening.owner_login)
        user = User.objects.filter(login=login, is_active=True).first()
        if user is None:
            raise errors.UserNotFound
    else:
        user = insert_user(owner, actor=actor)
    with site_scope(site.id):
        grant_role(user_id=user.id, role=Role.OWNER, actor=actor)
    return site
