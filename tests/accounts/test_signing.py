"""Signing in and out, sessions, and the uniform answer."""

from unittest import mock

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from kameng.accounts import errors, hashing, selectors
from kameng.accounts.hashing import Argon2, check_password
from kameng.accounts.models import Customer, Session, User
from kameng.accounts.people import CustomerPerson, StaffPerson
from kameng.accounts.permits import SignInPermit
from kameng.accounts.services.registering import (
    change_customer_password,
    register_customer,
    reset_customer_password,
    set_customer_active,
)
from kameng.accounts.services.sessions import (
    SignedIn,
    close_other_sessions,
    close_session_by_handle,
    sweep_sessions,
)
from kameng.accounts.services.signing import sign_in_customer, sign_in_staff, sign_out
from kameng.accounts.services.staff import change_staff_password
from kameng.core.audit import SYSTEM, list_entries
from kameng.core.database import fetch
from kameng.core.ids import token_digest
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import PASSWORD, make_customer
from tests.people import Buyer, Staff


def permit(site: Site, login: str) -> SignInPermit:
    return SignInPermit(site_id=site.id, login=login, ip="192.0.2.1", agent="Test/1")


def enter(site: Site, mei: Buyer, previous_token: str = "") -> SignedIn:
    with site_scope(site.id):
        return sign_in_customer(
            permit(site, mei.login), password=PASSWORD, previous_token=previous_token
        )


def is_live(site: Site, token: str) -> bool:
    opened = selectors.open_request(site.id, token=token)
    assert opened is not None
    return not opened.person.is_guest


def test_a_customer_signs_in_with_any_form_of_the_login(site_a: Site) -> None:
    with site_scope(site_a.id):
        customer = register_customer(login_text="138-0013-8000", password=PASSWORD)
        signed_in = sign_in_customer(permit(site_a, "+86 13800138000"), password=PASSWORD)

        assert (signed_in.customer_id, signed_in.name) == (customer.id, "138****8000")
        session = Session.objects.get()
        assert bytes(session.token_digest) == token_digest(signed_in.token)
        assert (session.ip, session.agent) == ("192.0.2.1", "Test/1")
        customer.refresh_from_db()
        assert customer.last_signed_in_at is not None
    assert is_live(site_a, signed_in.token)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("mei@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("not a login", PASSWORD),
        ("", ""),
        ("mei@example.com", ""),
        ("mei@example.com", PASSWORD + "\x00"),
        ("mei@example.com", "\ud800"),
        ("mei@example.com", "x" * 100_000),
        ("\x00", "\x00"),
    ],
)
def test_every_wrong_sign_in_is_answered_alike_and_costs_one_hash(
    site_a: Site, mei: Buyer, login: str, password: str
) -> None:
    with (
        site_scope(site_a.id),
        mock.patch.object(hashing, "verify_password", wraps=hashing.verify_password) as work,
    ):
        with pytest.raises(errors.SignInRefused) as refused:
            sign_in_customer(permit(site_a, login), password=password)

        assert refused.value.text() == "账号或密码不正确。"
        assert work.call_count == 1
        assert not Session.objects.exists()


def test_an_unknown_login_is_hashed_with_the_parameters_of_a_known_one(
    site_a: Site, mei: Buyer
) -> None:
    seen = []
    real = hashing.verify_password

    def note(password: str, encoded: str) -> tuple[bool, bool]:
        seen.append(encoded.rsplit("$", 2)[0])
        return real(password, encoded)

    with site_scope(site_a.id), mock.patch.object(hashing, "verify_password", note):
        for login in (mei.login, "nobody@example.com"):
            with pytest.raises(errors.SignInRefused):
                sign_in_customer(permit(site_a, login), password="wrong password")

    assert seen[0] == seen[1]


def test_a_locked_customer_is_refused_like_a_wrong_password(site_a: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        set_customer_active(mei.customer.id, is_active=False, actor=SYSTEM)
        with pytest.raises(errors.SignInRefused):
            sign_in_customer(permit(site_a, mei.login), password=PASSWORD)


def test_a_customer_of_one_site_is_unknown_on_another(site_b: Site, mei: Buyer) -> None:
    with site_scope(site_b.id), pytest.raises(errors.SignInRefused):
        sign_in_customer(permit(site_b, mei.login), password=PASSWORD)


def test_one_login_is_two_people_on_two_sites(site_a: Site, site_b: Site) -> None:
    first = make_customer(site_a, login="mei@example.com")
    second = make_customer(site_b, login="mei@example.com")

    assert bytes(first.login_digest) != bytes(second.login_digest)


def test_a_weak_hash_is_renewed_at_sign_in(
    site_a: Site, mei: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mei.customer.password
    monkeypatch.setattr(Argon2, "memory_cost", Argon2.memory_cost * 2)
    hashing._nobody.cache_clear()

    enter(site_a, mei)

    with site_scope(site_a.id):
        after = Customer.objects.get(id=mei.customer.id).password
    hashing._nobody.cache_clear()
    assert after != before
    assert f"m={Argon2.memory_cost}" in after
    assert check_password(PASSWORD, after) == (True, False)


def test_the_real_parameters_are_the_ones_that_were_chosen() -> None:
    import ast
    import inspect

    (chosen,) = [
        node
        for node in ast.parse(inspect.getsource(hashing)).body
        if isinstance(node, ast.ClassDef)
    ]
    values = {
        ast.unparse(each.targets[0]): ast.literal_eval(each.value)
        for each in chosen.body
        if isinstance(each, ast.Assign)
    }
    assert values == {"memory_cost": 19_456, "time_cost": 2, "parallelism": 1}
    assert issubclass(Argon2, Argon2PasswordHasher)


def test_signing_in_again_ends_the_browsers_earlier_session(site_a: Site, mei: Buyer) -> None:
    first = enter(site_a, mei)
    second = enter(site_a, mei, previous_token=first.token)

    assert first.token != second.token
    assert not is_live(site_a, first.token)
    assert is_live(site_a, second.token)


def test_a_planted_token_is_never_taken_over(site_a: Site, mei: Buyer) -> None:
    planted = "A" * 32

    signed_in = enter(site_a, mei, previous_token=planted)

    assert signed_in.token != planted
    assert not is_live(site_a, planted)


def test_signing_out_ends_the_session(site_a: Site, mei: Buyer) -> None:
    signed_in = enter(site_a, mei)
    with site_scope(site_a.id):
        sign_out(signed_in.token)

    assert not is_live(site_a, signed_in.token)


def test_another_site_cannot_sign_a_person_out(site_a: Site, site_b: Site, mei: Buyer) -> None:
    signed_in = enter(site_a, mei)
    with site_scope(site_b.id):
        sign_out(signed_in.token)

    assert is_live(site_a, signed_in.token)


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(site_a: Site, mei: Buyer) -> None:
    tokens = [enter(site_a, mei).token for _ in range(3)]
    person = CustomerPerson(customer_id=mei.customer.id, name="Mei")
    with site_scope(site_a.id):
        views = selectors.list_sessions(person, token=tokens[0])
        assert [view.is_this_one for view in views].count(True) == 1
        other = next(view for view in views if not view.is_this_one)

        close_session_by_handle(person, handle=other.handle)
        assert len(selectors.list_sessions(person, token=tokens[0])) == 2
        with pytest.raises(errors.SessionNotFound):
            close_session_by_handle(person, handle=other.handle)
        assert close_other_sessions(person, keep_token=tokens[0]) == 1
    assert is_live(site_a, tokens[0])


def test_nobody_ends_the_session_of_another(site_a: Site, mei: Buyer, lin: Staff) -> None:
    token = enter(site_a, mei).token
    handle = token_digest(token)[:8].hex()
    other = make_customer(site_a)
    for person in (
        CustomerPerson(customer_id=other.id, name="x"),
        StaffPerson(user_id=lin.user.id, name="Lin", is_platform=False, main_id=1),
    ):
        with site_scope(site_a.id), pytest.raises(errors.SessionNotFound):
            close_session_by_handle(person, handle=handle)
    assert is_live(site_a, token)


def test_a_new_password_ends_all_other_sessions(site_a: Site, mei: Buyer) -> None:
    kept, other = enter(site_a, mei).token, enter(site_a, mei).token
    with site_scope(site_a.id):
        with pytest.raises(errors.PasswordWrong):
            change_customer_password(
                mei.customer.id,
                old_password="wrong",
                new_password="a new password",
                keep_token=kept,
            )
        with pytest.raises(errors.PasswordSameAsLogin):
            change_customer_password(
                mei.customer.id, old_password=PASSWORD, new_password=mei.login, keep_token=kept
            )
        assert is_live(site_a, other)
        change_customer_password(
            mei.customer.id,
            old_password=PASSWORD,
            new_password="a new password",
            keep_token=kept,
        )
        assert sign_in_customer(permit(site_a, mei.login), password="a new password").token
    assert is_live(site_a, kept)
    assert not is_live(site_a, other)


def test_a_reset_password_ends_every_session(site_a: Site, mei: Buyer) -> None:
    token = enter(site_a, mei).token
    with site_scope(site_a.id):
        reset_customer_password(mei.customer.id, new_password="a new password")

    assert not is_live(site_a, token)


def test_ended_sessions_are_swept(site_a: Site, mei: Buyer) -> None:
    token = enter(site_a, mei).token
    enter(site_a, mei)
    with site_scope(site_a.id):
        fetch(
            "update accounts_session set expires_at = now() - interval '1 s'"
            " where token_digest = %s",
            (token_digest(token),),
        )

    assert sweep_sessions() == 1


def test_staff_sign_in_where_they_have_a_part(
    main_site: Site, site_a: Site, site_b: Site, lin: Staff, ada: Staff
) -> None:
    with site_scope(site_a.id):
        assert sign_in_staff(permit(site_a, "LIN "), password=PASSWORD).user_id == lin.user.id
        assert sign_in_staff(permit(site_a, "ada"), password=PASSWORD).user_id == ada.user.id
        entry = list_entries(site_id=site_a.id).last()
        assert (entry.action, entry.actor_name, entry.ip) == (
            "staff.signed_in",
            "Lin",
            "192.0.2.1",
        )
    with site_scope(main_site.id):  # from there operators reach their own sites
        assert sign_in_staff(permit(main_site, "lin"), password=PASSWORD).user_id == lin.user.id
    with site_scope(site_b.id), pytest.raises(errors.SignInRefused):
        sign_in_staff(permit(site_b, "lin"), password=PASSWORD)


@pytest.mark.parametrize(
    ("login", "password"), [("lin", "wrong"), ("nobody", PASSWORD), ("\x00", ""), ("", "")]
)
def test_every_wrong_staff_sign_in_is_answered_alike(
    site_a: Site, lin: Staff, login: str, password: str
) -> None:
    with (
        site_scope(site_a.id),
        mock.patch.object(hashing, "verify_password", wraps=hashing.verify_password) as work,
        pytest.raises(errors.SignInRefused),
    ):
        sign_in_staff(permit(site_a, login), password=password)
    assert work.call_count == 1


def test_a_staff_session_is_short(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        assert sign_in_staff(permit(site_a, "lin"), password=PASSWORD).seconds == 12 * 3600


def test_a_new_staff_password_ends_sessions_on_every_site(
    main_site: Site, site_a: Site, ada: Staff
) -> None:
    tokens = {}
    for site in (main_site, site_a):
        with site_scope(site.id):
            tokens[site] = sign_in_staff(permit(site, "ada"), password=PASSWORD).token
    with site_scope(main_site.id):
        change_staff_password(
            ada.user.id,
            old_password=PASSWORD,
            new_password="a new password",
            keep_token=tokens[main_site],
        )

    assert is_live(main_site, tokens[main_site])
    assert not is_live(site_a, tokens[site_a])
    assert check_password("a new password", User.objects.get(id=ada.user.id).password)[0]
