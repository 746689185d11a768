"""Registration, its refusals, its race, and the encryption of logins."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.conf import LazySettings

from kameng.accounts import errors, selectors
from kameng.accounts.models import Customer
from kameng.accounts.services import registering
from kameng.accounts.services.registering import (
    register_customer,
    rename_customer,
    rotate_accounts,
    set_customer_note,
)
from kameng.core import keyring
from kameng.core.database import fetch_one
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import PASSWORD, make_customer
from tests.people import Buyer


def test_a_login_is_encrypted_masked_and_found_by_its_digest(site_a: Site) -> None:
    with site_scope(site_a.id):
        customer = register_customer(
            login_text=" Mei@Example.com", password=PASSWORD, nickname=" Mei\x00 "
        )
        row = fetch_one("select c::text || encode(login_cipher, 'escape') from accounts_customer c")

        assert row is not None
        assert "mei@" not in row[0]
        assert (customer.login_hint, customer.nickname) == ("m***@example.com", "Mei")
        assert selectors.login_of(customer) == "mei@example.com"
        assert selectors.find_customer_by_login("MEI@example.com") == customer
        assert selectors.find_customer_by_login("other@example.com") is None
        assert selectors.find_customer_by_login("no login") is None


@pytest.mark.parametrize(
    ("login", "password", "refusal"),
    [
        ("no login", PASSWORD, errors.LoginInvalid),
        ("１３８００１３８０００", PASSWORD, errors.LoginInvalid),
        ("mei@example.com\x00", PASSWORD, errors.LoginInvalid),
        ("mei@example.com", "short", errors.PasswordTooShort),
        ("mei@example.com", "x1" * 100, errors.PasswordTooLong),
        ("mei@example.com", "nul\x00in the middle", errors.PasswordOdd),
        ("mei@example.com", "12345678", errors.PasswordWornOut),
        ("mei@example.com", "mei@example.com", errors.PasswordSameAsLogin),
    ],
)
def test_a_registration_that_will_not_do_is_refused_in_words(
    site_a: Site, login: str, password: str, refusal: type[Exception]
) -> None:
    with site_scope(site_a.id):
        with pytest.raises(refusal):
            register_customer(login_text=login, password=password)
        assert not Customer.objects.exists()


def test_a_login_is_taken_once(site_a: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        with pytest.raises(errors.LoginTaken):
            register_customer(login_text=mei.login.upper(), password=PASSWORD)
        assert Customer.objects.count() == 1


def test_of_many_registrations_at_once_one_wins(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]], site_a: Site
) -> None:
    with site_scope(site_a.id):
        outcomes = run_parallel(
            10, lambda _: register_customer(login_text="mei@example.com", password=PASSWORD)
        )

        assert sum(isinstance(each, Customer) for each in outcomes) == 1
        assert sum(isinstance(each, errors.LoginTaken) for each in outcomes) == 9
        assert Customer.objects.count() == 1


def test_names_and_notes_are_bounded(site_a: Site, site_b: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        rename_customer(mei.customer.id, nickname="梅" * 50)
        set_customer_note(mei.customer.id, note="x" * 500)
        customer = selectors.get_customer(mei.customer.id)
        assert (len(customer.nickname), len(customer.note)) == (20, 200)
        with pytest.raises(errors.NicknameInvalid):
            rename_customer(mei.customer.id, nickname=" \x00 ")
    with site_scope(site_b.id):
        with pytest.raises(errors.CustomerNotFound):
            rename_customer(mei.customer.id, nickname="x")
        with pytest.raises(errors.CustomerNotFound):
            set_customer_note(mei.customer.id, note="x")
        with pytest.raises(errors.CustomerNotFound):
            selectors.get_customer(mei.customer.id)


def test_customers_are_listed_by_key_and_found_by_login_or_name(site_a: Site, site_b: Site) -> None:
    made = [make_customer(site_a, nickname=f"买家{number}") for number in range(5)]
    make_customer(site_b, nickname="买家9")
    with site_scope(site_a.id):
        first = selectors.list_customers(limit=2)
        second = selectors.list_customers(limit=2, before_id=first[-1].id)
        assert [each.id for each in (*first, *second)] == [each.id for each in made[:0:-1]]
        assert selectors.list_customers(text="买家3") == [made[3]]
        assert selectors.list_customers(text=selectors.login_of(made[2])) == [made[2]]
        assert selectors.list_customers(text="买家9") == []
        assert selectors.count_customers() == 5


def test_logins_are_encrypted_anew_with_a_new_key(site_a: Site, settings: LazySettings) -> None:
    customer = make_customer(site_a, login="mei@example.com")
    version = keyring.add_key(settings.KEYRING_PATH)

    with mock.patch.object(registering, "ROTATION_BATCH", 1):
        make_customer(site_a)
        assert sum(rotate_accounts()) == 1
    assert sum(rotate_accounts()) == 0

    with site_scope(site_a.id):
        customer.refresh_from_db()
        assert bytes(customer.login_cipher)[0] == version
        assert selectors.login_of(customer) == "mei@example.com"
