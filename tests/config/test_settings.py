"""What the public scheme decides: the names of the cookies that open something."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.tenancy.models import Site
from tests.factories import PASSWORD
from tests.people import Buyer

READ = (
    "import json; from kameng.config import settings as s;"
    " print(json.dumps([s.SESSION_COOKIE, s.CSRF_COOKIE_NAME, s.CSRF_COOKIE_SECURE]))"
)


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        ("http", ["kameng_session", "kameng_csrf", False]),
        ("https", ["__Host-kameng_session", "__Host-kameng_csrf", True]),
    ],
)
def test_under_tls_cookies_are_bound_to_the_very_host(scheme: str, names: list[object]) -> None:
    environ = {
        **os.environ,
        "KAMENG_PUBLIC_SCHEME": scheme,
        "KAMENG_TRUSTED_PROXIES": "127.0.0.1",
        "KAMENG_SECRET_KEY": "x" * 50,
    }
    told = subprocess.run(
        [sys.executable, "-c", READ], env=environ, capture_output=True, check=True, timeout=300
    )
    assert json.loads(told.stdout) == names


def test_a_browser_signs_in_and_out_with_such_cookies(
    site_a: Site, mei: Buyer, client_for: Callable[..., Client], settings: LazySettings
) -> None:
    settings.SESSION_COOKIE = "__Host-kameng_session"
    settings.CSRF_COOKIE_NAME = "__Host-kameng_csrf"
    settings.CSRF_COOKIE_SECURE = True
    browser = client_for(site_a)
    browser.handler.enforce_csrf_checks = True

    def post(path: str, **form: str) -> object:
        browser.get("/sign-in/")
        token = browser.cookies["__Host-kameng_csrf"].value
        return browser.post(path, {**form, "csrfmiddlewaretoken": token}, secure=False)

    entered = post("/sign-in/", login=mei.login, password=PASSWORD)
    inside = browser.get("/account/")
    left = post("/sign-out/")

    given, taken = (
        answer.cookies["__Host-kameng_session"]  # type: ignore[attr-defined]
        for answer in (entered, left)
    )
    assert inside.status_code == 200
    for cookie in (given, taken):
        assert (bool(cookie["secure"]), cookie["path"], cookie["domain"]) == (True, "/", "")
    assert taken.value == ""
    assert browser.get("/account/").status_code == 303
