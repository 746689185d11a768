"""The test frame itself: the role, the walls, the roll-back and the wipe."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from kameng.accounts.models import Customer
from kameng.core.database import fetch_one
from kameng.core.scope import ScopeMissing, platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories
from tests.people import Buyer, Staff


def test_tests_act_as_the_application_role(db: None) -> None:
    assert fetch_one("select current_user") == ("kameng_app",)


def test_a_row_of_another_site_is_invisible_to_python_and_to_postgresql(
    site_a: Site, site_b: Site, mei: Buyer
) -> None:
    with site_scope(site_b.id):
        assert not Customer.objects.filter(id=mei.customer.id).exists()
        assert fetch_one("select count(*) from accounts_customer") == (0,)
    with site_scope(site_a.id):
        assert fetch_one("select count(*) from accounts_customer") == (1,)


def test_without_a_scope_a_query_is_refused(db: None) -> None:
    with pytest.raises(ScopeMissing):
        Customer.objects.count()
    assert fetch_one("select count(*) from accounts_customer") == (0,)


@pytest.mark.parametrize("turn", [1, 2])
def test_a_rolled_back_test_leaves_nothing(turn: int, db: None) -> None:
    with platform_scope("count what is left"):
        assert Site.objects.count() == 0
    factories.make_main_site()


@pytest.mark.parametrize("turn", [1, 2])
def test_committed_rows_are_wiped(turn: int, committed_db: None, mei: Buyer) -> None:
    assert not connection.in_atomic_block
    with platform_scope("count what is left"):
        assert Site.objects.count() == 2
    factories.fund_wallet(mei.customer, 50_000)


def test_parallel_calls_have_connections_of_their_own(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]], site_a: Site
) -> None:
    with site_scope(site_a.id):
        rows = run_parallel(4, lambda _: fetch_one("select pg_backend_pid()"))

    assert len({row[0] for row in rows}) == 4


def test_the_named_people_exist(ada: Staff, lin: Staff, wei: Staff, mei: Buyer) -> None:
    assert [ada.user.is_platform, lin.user.is_platform] == [True, False]
    assert mei.customer.site_id != wei.user.id


def test_a_refused_row_leaves_the_transaction_usable_under_any_scope(
    site_a: Site, site_b: Site, mei: Buyer
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), site_scope(site_a.id):
        factories.make_customer(site_a, login=mei.login)

    with site_scope(site_b.id):
        assert Customer.objects.count() == 0
    with site_scope(site_a.id):
        assert Customer.objects.count() == 1
