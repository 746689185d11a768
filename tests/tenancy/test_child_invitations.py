"""Links to open child sites: one person, once, until they expire or are withdrawn."""

import datetime as dt

import pytest

from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy import errors
from kameng.tenancy.child_invitations import (
    InvitedChild,
    find_child_invitation,
    invite_child,
    list_child_invitations,
    open_child_invitations,
    use_child_invitation,
    withdraw_child_invitation,
)
from kameng.tenancy.models import ChildInvitation, Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_child
from tests.orders.test_children import allow_children

ACTOR = Actor(kind="user", actor_id=1, name="Lin")


def invite(site: Site, *, days: int = 7) -> InvitedChild:
    """Make a link as the operator of a site does."""
    with site_scope(site.id):
        return invite_child(note=" 小  禾 ", days=days, actor=ACTOR)


def use(made: InvitedChild, child: Site) -> None:
    """Use a link up, as opening a child by it does."""
    with platform_scope("a test uses a link"):
        use_child_invitation(made.invitation, child_id=child.id, actor=ACTOR)


def test_a_link_names_its_site_and_is_stored_nowhere(site_a: Site) -> None:
    allow_children(2)

    made = invite(site_a, days=3)

    found = find_child_invitation(made.token)
    assert found is not None
    assert (found.site_id, found.note, found.invited_by) == (site_a.id, "小 禾", "Lin")
    assert dt.timedelta(days=2.9) < found.expires_at - clock.now() <= dt.timedelta(days=3)
    assert made.token.encode() not in bytes(found.token_digest)
    with platform_scope("a test reads the audit log"):
        assert AuditEntry.objects.filter(action="child.invited", site_id=site_a.id).count() == 1


@pytest.mark.parametrize("token", ["", "wrong", "x" * 500])
def test_what_is_no_link_opens_nothing(site_a: Site, token: str) -> None:
    assert find_child_invitation(token) is None


def test_an_expired_or_withdrawn_link_opens_nothing(site_a: Site) -> None:
    allow_children(3)
    old, gone = invite(site_a), invite(site_a)
    with site_scope(site_a.id):
        rows = ChildInvitation.objects.filter(id=old.invitation.id)
        rows.update(expires_at=clock.now() - dt.timedelta(seconds=1))
        withdraw_child_invitation(gone.invitation.id, actor=ACTOR)

        assert [find_child_invitation(each.token) for each in (old, gone)] == [None, None]
        assert not open_child_invitations().exists()
        assert [row.id for row in list_child_invitations()] == [old.invitation.id]
    child = make_child(site_a)
    for each in (old, gone):
        with pytest.raises(errors.ChildInvitationNotFound):
            use(each, child)


def test_a_used_link_is_used_and_cannot_be_withdrawn(site_a: Site) -> None:
    allow_children(3)
    made = invite(site_a)
    use(made, make_child(site_a))

    with pytest.raises(errors.ChildInvitationNotFound):
        use(made, make_child(site_a))
    with site_scope(site_a.id), pytest.raises(errors.ChildInvitationNotFound):
        withdraw_child_invitation(made.invitation.id, actor=ACTOR)
    found = find_child_invitation(made.token)
    assert found is not None
    assert found.child is not None


def test_open_links_and_children_keep_to_the_plan(site_a: Site) -> None:
    allow_children(2)
    make_child(site_a)
    made = invite(site_a)

    with pytest.raises(errors.ChildrenFull):
        invite(site_a)
    with site_scope(site_a.id):
        withdraw_child_invitation(made.invitation.id, actor=ACTOR)
    assert invite(site_a)


def test_who_may_have_no_children_invites_nobody(site_a: Site) -> None:
    with pytest.raises(errors.ChildrenForbidden):
        invite(site_a)
    allow_children(1)
    with pytest.raises(errors.ChildOfChild):
        invite(make_child(site_a))


def test_another_sites_links_are_not_seen_nor_withdrawn(site_a: Site, site_b: Site) -> None:
    allow_children(2)
    made = invite(site_a)

    with site_scope(site_b.id):
        assert list_child_invitations() == []
        with pytest.raises(errors.ChildInvitationNotFound):
            withdraw_child_invitation(made.invitation.id, actor=ACTOR)
    assert find_child_invitation(made.token) is not None
