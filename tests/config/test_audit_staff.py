"""The audit finds damage to roles, invitations, second factors and devices, and none without."""

from dataclasses import replace

import pytest
from django.db import connection

from kameng.accounts.models import Role, User
from kameng.accounts.permits import SignInPermit
from kameng.accounts.rules import ROLE_PERMISSIONS
from kameng.accounts.services import second_factors
from kameng.accounts.services.custom_roles import RoleWish, make_custom_role
from kameng.accounts.services.devices import note_device
from kameng.accounts.services.joining import (
    InvitationWish,
    join_by_invitation,
    make_invitation,
    withdraw_invitation,
)
from kameng.accounts.services.staff import grant_role, revoke_role, set_user_active
from kameng.config import audit
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.accounts.test_second_factors import HERE, LIN, add_key, code_of, switch_on
from tests.damage import as_owner
from tests.factories import PASSWORD, make_staff
from tests.passkey_device import Device as Hardware
from tests.people import make_lin, make_operator, make_wei

OWNER = ROLE_PERMISSIONS["owner"]
B = "(select id from tenancy_site where slug = 'site-b')"
OWNS_A = "user_id = (select id from accounts_user where login = 'lin')"
USED = "(select min(id) from accounts_invitation where used_at is not null)"
FORGED = (
    "insert into accounts_recoverycode (user_id, code_digest) select min(user_id),"
    " decode(lpad(to_hex(n), 32, '0'), 'hex') from accounts_recoverycode, generate_series(1, 11) n"
    " group by n"
)
BREAKS = [
    ("I44", "update accounts_customrole set permissions = permissions || '{sites.manage}'"),
    ("I44", "update accounts_customrole set permissions = '{}'"),
    ("I44", f"update accounts_customrole set site_id = {B}"),
    ("I44", f"update accounts_siterole set suspended_at = now() where {OWNS_A}"),
    ("I44", "update accounts_user set is_active = false where login = 'lin'"),
    ("I44", f"update accounts_siterole set role = 'king' where {OWNS_A}"),
    (
        "I45",
        f"update accounts_invitation set used_at = null, used_by_id = null where id = {USED}",
    ),
    (
        "I45",
        (
            f"delete from accounts_siterole where user_id = (select used_by_id"
            f" from accounts_invitation where id = {USED})"
        ),
    ),
    ("I45", "update accounts_invitation set expires_at = created_at - interval '1 day'"),
    (
        "I45",
        (
            "update accounts_invitation set used_at = now(), used_by_id = (select min(id)"
            " from accounts_user) where used_at is null and withdrawn_at is null"
        ),
    ),
    ("I46", "update accounts_recoverycode set used_at = null"),
    ("I46", "update accounts_recoverycode set used_at = now()"),
    ("I46", FORGED),
    ("I46", "delete from accounts_totp"),
    ("I46", "update accounts_totp set last_step = last_step + 100"),
    ("I46", "update accounts_totp set last_step = 0"),
    ("I46", "update accounts_passkey set sign_count = -1"),
    ("I46", "update accounts_device set trusted_until = seen_at + interval '31 days'"),
    (
        "I46",
        (
            "update accounts_device set trusted_until = now() + interval '1 day',"
            " user_id = (select id from accounts_user where login = 'wei')"
        ),
    ),
]


@pytest.fixture
def staffed(db: None, main_site: Site, site_a: Site, site_b: Site) -> None:
    """Site A has staff of every kind; Lin has an app, Hui a passkey; site B has its owner."""
    lin = make_lin(site_a)
    make_wei(site_b)
    hui = make_operator(site_a, login="hui", name="Hui", role=Role.MANAGER)
    gone = make_staff(login="gone")
    with site_scope(site_a.id):
        night = RoleWish(name="夜班", note="", permissions=frozenset({"orders.view"}))
        role = make_custom_role(night, holder=OWNER, actor=LIN)
        for number in range(3):
            wish = InvitationWish(
                role="custom", custom_role_id=role.id, login="", name=f"第{number}个", days=7
            )
            made = make_invitation(wish, holder=OWNER, actor=replace(LIN, actor_id=lin.user.id))
            if number == 0:
                join_by_invitation(
                    made.token,
                    login_text="zhou",
                    display_name="小周",
                    password=PASSWORD,
                    ip="192.0.2.1",
                )
            if number == 1:
                withdraw_invitation(made.invitation.id, actor=LIN)
        grant_role(user_id=gone.id, role="viewer", actor=LIN)
        revoke_role(user_id=gone.id, actor=LIN)
        codes = switch_on(lin.user.id)
        second_factors.use_code(lin.user.id, code=codes[0], actor=LIN)
        second_factors.use_code(lin.user.id, code=code_of(lin.user.id, later=1), actor=LIN)
        add_key(hui.user.id, Hardware(rp_id=HERE.rp_id, origin=HERE.origin))
        permit = SignInPermit(site_id=site_a.id, login="lin", ip="192.0.2.1", agent="Test/1")
        note_device(permit, user_id=lin.user.id, token="", trust_days=30)


def test_sites_whose_staff_changed_as_it_may_have_no_breach(staffed: None) -> None:
    assert audit.find_breaches() == []


def test_owner_whom_the_platform_switches_off_is_no_breach(staffed: None) -> None:
    lin = User.objects.get(login="lin")
    set_user_active(lin.id, is_active=False, actor=LIN)

    assert audit.find_breaches() == []

    set_user_active(lin.id, is_active=True, actor=LIN)
    with as_owner(), connection.cursor() as cursor:  # off again, but by nobody
        cursor.execute("update accounts_user set is_active = false where login = 'lin'")

    assert {line.partition(":")[0] for line in audit.find_breaches()} == {"I44"}


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_damage_is_found_under_its_name(name: str, damage: str, staffed: None) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount > 0

    assert name in {line.partition(":")[0] for line in audit.find_breaches()}
