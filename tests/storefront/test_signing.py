"""Registering, signing in and out, a forgotten password."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.conf import LazySettings, settings
from django.test import Client

from kameng.accounts.models import Customer, Session
from kameng.core import keyring
from kameng.core.crypto import binding, decrypt_text
from kameng.messaging.models import Email, EmailState
from kameng.messaging.services import rotate_messaging
from kameng.risk.rules import SIGN_IN_BY_ACCOUNT
from kameng.risk.services import admit_sign_in
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import PASSWORD
from tests.people import Buyer
from tests.storefront.test_lookup import mailed_code

ClientFor = Callable[..., Client]
Statements = Callable[[], AbstractContextManager[list[str]]]
NEW = {"login": "new@example.com", "password": "a long enough one", "nickname": "新", "agree": "1"}


def customers(site: Site) -> int:
    with site_scope(site.id):
        return Customer.objects.count()


def test_registering_signs_in_and_goes_on(site_a: Site, client_for: ClientFor) -> None:
    browser = client_for(site_a)

    answer = browser.post("/register/", {**NEW, "next": "/search/"})
    page = browser.get("/account/")

    assert answer.status_code == 303
    assert answer["Location"] == "/search/"
    cookie = answer.cookies[settings.SESSION_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert page.status_code == 200
    assert "新" in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"login": ""}, 400),
        ({"login": "nobody"}, 400),
        ({"login": "x" * 3000}, 400),
        ({"login": "😀@example.com"}, 400),
        ({"password": ""}, 400),
        ({"password": "short"}, 400),
        ({"password": "x" * 1000}, 400),
        ({"password": "12345678"}, 400),
        ({"password": "new@example.com"}, 400),
        ({"agree": ""}, 400),
        ({"nickname": "\x00"}, 400),
    ],
)
def test_a_poor_registration_is_refused_and_kept(
    changes: dict[str, str], status: int, site_a: Site, client_for: ClientFor
) -> None:
    page = client_for(site_a).post("/register/", {**NEW, **changes})

    assert page.status_code == status
    assert settings.SESSION_COOKIE not in page.cookies
    assert customers(site_a) == 0
    assert "a long enough one" not in page.content.decode()


def test_a_login_is_registered_once_a_site(
    site_a: Site, site_b: Site, client_for: ClientFor
) -> None:
    first = client_for(site_a).post("/register/", NEW)
    second = client_for(site_a).post("/register/", NEW)
    elsewhere = client_for(site_b).post("/register/", NEW)

    assert (first.status_code, second.status_code, elsewhere.status_code) == (303, 409, 303)
    assert 'value="new@example.com"' in second.content.decode()


def test_signing_in_and_out(site_a: Site, mei: Buyer, client_for: ClientFor) -> None:
    browser = client_for(site_a)

    entered = browser.post("/sign-in/", {"login": "MEI@example.com ", "password": PASSWORD})
    inside = browser.get("/account/")
    left = browser.post("/sign-out/")
    outside = browser.get("/account/")

    assert entered.status_code == left.status_code == 303
    assert inside.status_code == 200
    assert outside.status_code == 303
    assert outside["Location"] == "/sign-in/?next=%2Faccount%2F"
    with site_scope(site_a.id):
        assert not Session.objects.exists()


def test_every_wrong_is_answered_alike(
    site_a: Site, site_b: Site, mei: Buyer, client_for: ClientFor
) -> None:
    tries = [
        (site_a, {"login": "mei@example.com", "password": "wrong"}),
        (site_a, {"login": "unknown@example.com", "password": "wrong"}),
        (site_a, {"login": "nonsense", "password": PASSWORD}),
        (site_a, {"login": "", "password": ""}),
        (site_b, {"login": "mei@example.com", "password": PASSWORD}),
    ]

    pages = [client_for(site).post("/sign-in/", form) for site, form in tries]

    assert {page.status_code for page in pages} == {400}
    assert all("账号或密码不正确" in page.content.decode() for page in pages)
    assert not any(settings.SESSION_COOKIE in page.cookies for page in pages)


def test_guessing_a_password_is_stopped(site_a: Site, mei: Buyer, client_for: ClientFor) -> None:
    browser = client_for(site_a)
    form = {"login": "mei@example.com", "password": "wrong"}

    statuses = [browser.post("/sign-in/", form).status_code for _ in range(12)]

    assert statuses[:10] == [400] * 10
    assert statuses[10:] == [429] * 2


@pytest.mark.parametrize(
    "goal",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1", "x" * 400],
)
def test_signing_in_never_leads_away(
    goal: str, site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    form = {"login": "mei@example.com", "password": PASSWORD, "next": goal}

    answer = client_for(site_a).post("/sign-in/", form)

    assert answer["Location"] == "/account/"


def test_a_forgotten_password_is_set_anew_by_a_code(
    site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    thief, browser = client_for(site_a, mei), client_for(site_a)

    sent = browser.post("/forgot/", {"login": "mei@example.com", "step": "contact"})
    form = {"login": "mei@example.com", "step": "code", "code": mailed_code(site_a)}
    poor = browser.post("/forgot/", {**form, "password": "short"})
    done = browser.post("/forgot/", {**form, "password": "a fresh password"})
    again = browser.post("/forgot/", {**form, "password": "another password"})

    assert sent.status_code == 200
    assert poor.status_code == 400
    assert done.status_code == 303
    assert again.status_code == 400
    assert thief.get("/account/").status_code == 303  # every session ended
    entered = browser.post(
        "/sign-in/", {"login": "mei@example.com", "password": "a fresh password"}
    )
    assert entered.status_code == 303


def test_who_asks_for_a_code_again_at_once_may_enter_the_first(
    site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    browser = client_for(site_a)
    form = {"login": "mei@example.com", "step": "contact"}
    browser.post("/forgot/", form)

    again = browser.post("/forgot/", form)
    odd = browser.post("/forgot/", {"login": "13800138000", "step": "contact"})

    assert again.status_code == 429
    assert 'name="code"' in again.content.decode()
    assert odd.status_code == 400
    assert 'name="code"' not in odd.content.decode()


def test_an_unknown_account_gets_no_mail_and_the_same_answer(
    site_a: Site, mei: Buyer, client_for: ClientFor, settings: LazySettings
) -> None:
    page = client_for(site_a).post("/forgot/", {"login": "who@example.com", "step": "contact"})

    assert page.status_code == 200
    assert "如果这个账号存在，验证码已经发出" in page.content.decode()
    with site_scope(site_a.id):
        written = Email.objects.get()
        aad = binding(site_a.id, "email_to", written.dedupe_key)
        assert written.state == EmailState.SENT  # nothing is due, nothing is listed
        assert decrypt_text(bytes(written.to_cipher), aad) == ""
        assert bytes(written.body_cipher) == b""
    keyring.add_key(settings.KEYRING_PATH)
    assert [sum(rotate_messaging()) for _time in range(2)] == [1, 0]


def test_the_work_for_an_unknown_account_is_that_for_a_known_one(
    site_a: Site, mei: Buyer, client_for: ClientFor, statements: Statements
) -> None:
    """AUT-04: neither the words nor the time of the answer tell who has an account."""
    browser, counts = client_for(site_a), []
    for login in ("warm@example.com", "who@example.com", mei.login):
        with statements() as seen:
            browser.post("/forgot/", {"login": login, "step": "contact"})
        counts.append((len(seen), sum("messaging_" in each for each in seen)))

    assert counts[1] == counts[2]
    assert counts[1][1] == 1


def test_a_reset_password_opens_an_account_that_strangers_have_locked(
    site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    browser = client_for(site_a)
    for number in range(SIGN_IN_BY_ACCOUNT.hits):
        admit_sign_in(site_id=site_a.id, login=mei.login, ip=f"198.51.100.{number}")
    locked = browser.post("/sign-in/", {"login": mei.login, "password": PASSWORD})
    browser.post("/forgot/", {"login": mei.login, "step": "contact"})
    form = {"login": mei.login, "step": "code", "code": mailed_code(site_a)}
    browser.post("/forgot/", {**form, "password": "a fresh password"})

    entered = browser.post("/sign-in/", {"login": mei.login, "password": "a fresh password"})

    assert locked.status_code == 429
    assert entered.status_code == 303


def test_signing_out_needs_a_post(site_a: Site, mei: Buyer, client_for: ClientFor) -> None:
    browser = client_for(site_a, mei)

    assert browser.get("/sign-out/").status_code == 405
    assert browser.get("/account/").status_code == 200
