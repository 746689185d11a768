"""What templates get, and the cookies of a browser."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from kameng.accounts.people import CustomerPerson
from kameng.accounts.services.sessions import SignedIn
from kameng.messaging.services import InboxDraft, send_inbox
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.web.context import page_context
from kameng.web.cookies import choose_language, give_session, safe_next, session_token, take_session
from tests.people import Buyer


def test_a_page_without_a_site_or_person_has_everything_it_needs() -> None:
    context = page_context(RequestFactory().get("/"))

    assert (context["palette"], context["theme"], context["site_name"]) == (
        "indigo",
        "auto",
        "Kameng",
    )
    assert context["person"].is_guest
    assert not context["unread"]


def test_unread_messages_are_counted_for_the_customer_who_asks(site_a: Site, mei: Buyer) -> None:
    request = RequestFactory().get("/")
    request.site = get_site_view(site_a.id)  # type: ignore[assignment]
    request.person = CustomerPerson(customer_id=mei.customer.id, name="Mei")  # type: ignore[attr-defined]
    with site_scope(site_a.id):
        send_inbox(
            [
                InboxDraft(
                    site_id=site_a.id,
                    customer_id=mei.customer.id,
                    title="x",
                    body="x",
                    dedupe_key="1",
                )
            ]
        )
        context = page_context(request)
        assert context["unread"] == 1
        assert context["site_name"] == "甲站"


@pytest.mark.parametrize(("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("x", "auto")])
def test_the_theme_is_one_of_ours(cookie: str, theme: str) -> None:
    request = RequestFactory().get("/")
    request.COOKIES["theme"] = cookie

    assert page_context(request)["theme"] == theme


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        ("/orders?x=1", "/orders?x=1"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("///evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/ok\r\nSet-Cookie: x=1", "/"),
        ("orders", "/"),
        ("\x00/x", "/"),
    ],
)
def test_a_browser_is_sent_on_within_this_host_only(goal: str, answer: str) -> None:
    request = RequestFactory().post("/", {"next": goal})

    assert safe_next(request) == answer


def test_a_language_is_kept_when_it_is_one_of_ours() -> None:
    for language, is_kept in (("en", True), ("zh-hans", True), ("fr", False), ("", False)):
        request = RequestFactory().post("/", {"language": language, "next": "/x"})
        response = choose_language(request)
        assert response.headers["Location"] == "/x"
        assert (settings.LANGUAGE_COOKIE_NAME in response.cookies) is is_kept


def test_a_session_cookie_is_out_of_reach_of_scripts_and_secure_behind_tls() -> None:
    for is_secure in (False, True):
        request = RequestFactory().get("/", secure=is_secure)
        response = HttpResponse()
        give_session(request, response, SignedIn(token="t" * 32, seconds=60, name="Mei"))
        cookie = response.cookies[settings.SESSION_COOKIE]
        assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("t" * 32, True, "Lax")
        assert bool(cookie["secure"]) is is_secure
        assert "CSRF_COOKIE" in request.META
    take_session(response)
    assert response.cookies[settings.SESSION_COOKIE].value == ""
    assert session_token(RequestFactory().get("/")) == ""


def test_a_signed_out_browser_is_a_guest(
    client_for: Callable[..., Client], site_a: Site, mei: Buyer
) -> None:
    browser = client_for(site_a, mei)
    browser.cookies.pop(settings.SESSION_COOKIE)

    assert browser.get("/openapi.json").wsgi_request.person.is_guest
