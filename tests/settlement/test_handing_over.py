"""A site changes hands: once, whole, and without the former owner's accounts."""

import datetime as dt

import pytest

from kameng.accounts import errors
from kameng.accounts.models import OfferState, Role, Session, SiteOffer, SiteRole
from kameng.accounts.rules import permissions_of
from kameng.accounts.services.custom_roles import RoleWish, make_custom_role
from kameng.accounts.services.handing_over import (
    decline_offer,
    find_open_offer,
    list_offers,
    open_offer,
    withdraw_offer,
)
from kameng.accounts.services.staff import (
    grant_role,
    revoke_role,
    set_role_suspended,
    set_user_active,
)
from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email
from kameng.settlement import errors as settlement_errors
from kameng.settlement.claims import site_owner
from kameng.settlement.models import PayoutAccount
from kameng.settlement.services.handing_over import TakeOver, offer_site_to, take_site_over
from kameng.settlement.services.requesting import take_back_withdrawal
from kameng.tenancy.child_invitations import find_child_invitation
from kameng.tenancy.licensing import submit_licence, verify_licence
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.factories import make_role, make_staff
from tests.orders.test_children import allow_children
from tests.people import Staff
from tests.settlement.world import Desk
from tests.tenancy.test_child_invitations import invite
from tests.tenancy.test_licensing import details

NEW = "new@example.com"


def actor_for(person: Staff) -> Actor:
    return Actor(kind="user", actor_id=person.user.id, name=person.user.display_name)


def offer(site: Site, lin: Staff, to: str = NEW) -> str:
    with site_scope(site.id):
        return offer_site_to(to, reason="移民", is_by_platform=False, actor=actor_for(lin)).token


def take(site: Site, token: str, user: object, *, keeps: bool = False) -> None:
    with site_scope(site.id):
        wish = TakeOver(token=token, user=user, keeps_manager=keeps)  # type: ignore[arg-type]
        take_site_over(wish, actor=SYSTEM)


def roles(site: Site) -> dict[int, str]:
    with site_scope(site.id):
        return dict(SiteRole.objects.values_list("user_id", "role"))


def test_the_owner_changes_and_the_former_one_is_signed_out(
    site_a: Site, site_b: Site, lin: Staff
) -> None:
    new, clerk = make_staff(login=NEW, name="New"), make_staff(login="sun", name="Sun")
    make_role(clerk, site_a, Role.GOODS)
    make_role(lin.user, site_b, Role.OWNER)
    for site in (site_a, site_b):
        with site_scope(site.id):
            Session.objects.create(
                site_id=site.id,
                token_digest=bytes([site.id % 256]) * 32,
                user=lin.user,
                expires_at=clock.now() + dt.timedelta(hours=1),
            )
    with site_scope(site_a.id):
        made = submit_licence(details(), actor=SYSTEM)
    with platform_scope("verify"):
        verify_licence(made.id, actor=SYSTEM)

    take(site_a, offer(site_a, lin), new)

    assert roles(site_a) == {new.id: "owner", clerk.id: "goods"}
    assert roles(site_b) == {lin.user.id: "owner"}
    with site_scope(site_a.id):
        assert not Session.objects.filter(user=lin.user).exists()
        # The link went to who was asked, the outcome to both who sign in by an address.
        assert Email.objects.count() == 2
    with site_scope(site_b.id):
        assert Session.objects.filter(user=lin.user).exists()
    assert get_site_view(site_a.id).settings.legal == ()


def test_the_former_owner_may_stay_as_manager(site_a: Site, lin: Staff) -> None:
    new = make_staff(login=NEW, name="New")

    take(site_a, offer(site_a, lin), new, keeps=True)

    assert roles(site_a) == {new.id: "owner", lin.user.id: "manager"}


def test_links_for_child_sites_of_the_former_owner_open_none(
    site_a: Site, site_b: Site, lin: Staff
) -> None:
    allow_children(3)
    made, other = invite(site_a), invite(site_b)

    take(site_a, offer(site_a, lin), make_staff(login=NEW, name="New"))

    assert find_child_invitation(made.token) is None
    assert find_child_invitation(other.token) is not None
    with platform_scope("a test reads the audit log"):
        rows = AuditEntry.objects.filter(action="child.invitation.withdrawn")
        assert list(rows.values_list("site_id", flat=True)) == [site_a.id]


def test_a_link_works_once_for_one_login(site_a: Site, site_b: Site, lin: Staff) -> None:
    new, other = make_staff(login=NEW, name="New"), make_staff(login="other", name="Other")
    token = offer(site_a, lin)

    with pytest.raises(errors.OfferForAnother):
        take(site_a, token, other)
    with pytest.raises(errors.OfferGone):
        take(site_b, token, new)
    with pytest.raises(errors.OfferGone):
        take(site_a, token + "x", new)
    assert roles(site_a) == {lin.user.id: "owner"}
    take(site_a, token, new)
    with pytest.raises(errors.OfferGone):
        take(site_a, token, new)


@pytest.mark.parametrize("way", ["withdrawn", "declined", "expired", "replaced"])
def test_an_offer_that_ended_is_not_accepted(
    way: str, site_a: Site, lin: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = make_staff(login=NEW, name="New")
    token = offer(site_a, lin)
    with site_scope(site_a.id):
        if way == "withdrawn":
            withdraw_offer(actor=SYSTEM)
        elif way == "declined":
            decline_offer(token, actor=SYSTEM)
        elif way == "replaced":
            offer_site_to("else@example.com", reason="", is_by_platform=False, actor=SYSTEM)
        else:
            late = clock.now() + dt.timedelta(days=8)
            monkeypatch.setattr(clock, "now", lambda: late)
            assert list_offers()[0].state == OfferState.EXPIRED
            assert find_open_offer() is None

    with pytest.raises(errors.OfferGone):
        take(site_a, token, new)
    assert roles(site_a) == {lin.user.id: "owner"}
    with site_scope(site_a.id), pytest.raises(errors.OfferGone):
        open_offer(token)


def test_who_may_not_be_offered_a_site(main_site: Site, site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        with pytest.raises(errors.OfferToOwner):
            offer_site_to("lin", reason="", is_by_platform=False, actor=SYSTEM)
        with pytest.raises(errors.StaffLoginInvalid):
            offer_site_to("中文", reason="", is_by_platform=False, actor=SYSTEM)
    with site_scope(main_site.id), pytest.raises(errors.MainSiteOffered):
        offer_site_to(NEW, reason="", is_by_platform=False, actor=SYSTEM)
    with platform_scope("look"):
        assert not SiteOffer.unscoped.exists()


def test_payout_accounts_stay_behind_and_open_withdrawals_hold_it_up(
    desk: Desk, lin: Staff
) -> None:
    new = make_staff(login=NEW, name="New")
    desk.set_terms()
    desk.sell()
    account = desk.add_account()
    asked = desk.ask(1_000, account=account)
    token = offer(desk.site, lin)

    with pytest.raises(settlement_errors.WithdrawalsOpen):
        take(desk.site, token, new)
    assert roles(desk.site) == {lin.user.id: "owner"}
    with site_scope(desk.site.id):
        assert find_open_offer() is not None
        assert PayoutAccount.objects.filter(removed_at=None).count() == 1
    with site_scope(desk.site.id):
        take_back_withdrawal(owner=site_owner(), withdrawal_no=asked.withdrawal_no, actor=SYSTEM)

    take(desk.site, token, new)
    with site_scope(desk.site.id):
        assert PayoutAccount.objects.filter(removed_at=None).count() == 0


@pytest.mark.parametrize("how", ["removed", "demoted", "suspended"])
def test_an_offer_ends_with_the_ownership_of_who_made_it(
    how: str, site_a: Site, lin: Staff
) -> None:
    second, helper = make_staff(login="second"), make_staff(login=NEW)
    make_role(second, site_a, Role.OWNER)
    with site_scope(site_a.id):
        actor = Actor(kind="user", actor_id=second.id, name="Second")
        token = offer_site_to(NEW, reason="", is_by_platform=False, actor=actor).token
        if how == "removed":
            revoke_role(user_id=second.id, actor=SYSTEM)
        elif how == "demoted":
            grant_role(user_id=second.id, role="manager", actor=SYSTEM)
        else:
            set_role_suspended(user_id=second.id, is_suspended=True, actor=SYSTEM)

    with pytest.raises(errors.OfferGone):
        take(site_a, token, helper)
    assert roles(site_a)[lin.user.id] == "owner"
    with site_scope(site_a.id):
        assert find_open_offer() is None


def test_an_offer_of_who_was_switched_off_is_worth_nothing(site_a: Site, lin: Staff) -> None:
    second, helper = make_staff(login="second"), make_staff(login=NEW)
    make_role(second, site_a, Role.OWNER)
    with site_scope(site_a.id):
        actor = Actor(kind="user", actor_id=second.id, name="Second")
        token = offer_site_to(NEW, reason="", is_by_platform=False, actor=actor).token
    set_user_active(second.id, is_active=False, actor=SYSTEM)

    with pytest.raises(errors.OfferGone):
        take(site_a, token, helper)


def test_a_role_with_less_than_an_owner_has_offers_nothing(site_a: Site, lin: Staff) -> None:
    clerk = make_staff(login="clerk")
    with site_scope(site_a.id):
        role = make_custom_role(
            RoleWish(name="搬家", note="", permissions=frozenset({"site.leave"})),
            holder=permissions_of("owner"),
            actor=SYSTEM,
        )
        grant_role(user_id=clerk.id, role="custom", custom_role_id=role.id, actor=SYSTEM)
        actor = Actor(kind="user", actor_id=clerk.id, name="Clerk")
        with pytest.raises(errors.RoleBeyond):
            offer_site_to(NEW, reason="", is_by_platform=False, actor=actor)
