"""Who may do what: nobody and customers nothing, staff by role and site, the platform all."""

import pytest

from kameng.accounts.people import GUEST, CustomerPerson, StaffPerson
from kameng.accounts.rules import PERMISSIONS
from kameng.core.audit import Actor

MAIN, SUB, OTHER = 1, 2, 3
CUSTOMER = CustomerPerson(customer_id=7, name="Mei")
ADA = StaffPerson(user_id=8, name="Ada", is_platform=True, main_id=MAIN)
LIN = StaffPerson(
    user_id=9, name="Lin", is_platform=False, main_id=MAIN, roles={MAIN: "viewer", SUB: "owner"}
)


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
@pytest.mark.parametrize("site_id", [MAIN, SUB])
def test_guests_and_customers_may_nothing_and_the_platform_everything(
    permission: str, site_id: int
) -> None:
    assert GUEST.can(permission, site_id) is False
    assert CUSTOMER.can(permission, site_id) is False
    assert ADA.can(permission, site_id) is True


def test_staff_have_on_each_site_the_role_of_that_site() -> None:
    assert LIN.can("goods.edit", SUB) is True
    assert LIN.can("goods.edit", MAIN) is False
    assert LIN.can("goods.view", MAIN) is True


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_staff_without_a_role_on_a_site_may_nothing_there(permission: str) -> None:
    assert LIN.can(permission, OTHER) is False


def test_the_audit_log_names_who_acts_and_from_where() -> None:
    assert GUEST.actor("192.0.2.1") == Actor(kind="guest", ip="192.0.2.1")
    assert CUSTOMER.actor("192.0.2.1") == Actor(
        kind="customer", actor_id=7, name="Mei", ip="192.0.2.1"
    )
    assert LIN.actor("192.0.2.1") == Actor(kind="user", actor_id=9, name="Lin", ip="192.0.2.1")
