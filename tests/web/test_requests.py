"""The outermost layers: hosts, shapes, headers, faults, sites and people of a request."""

import io
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings, settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from kameng.core.database import DatabaseAway, fetch, fetch_one
from kameng.core.errors import Conflict, NotFound, TooMany
from kameng.core.scope import current_scope
from kameng.tenancy.models import Site, SiteState
from kameng.web import errors
from kameng.web.csp import allow_form_target
from kameng.web.flash import flash
from kameng.web.middleware.people import open_when_suspended
from kameng.web.middleware.requests import FORM_BODY, SMALL_BODY, body_limit
from kameng.web.requests import find_client_ip
from tests.people import Buyer, Staff

FAULTS: dict[str, Callable[[], Exception]] = {
    "not_found": NotFound,
    "conflict": Conflict,
    "too_many": lambda: TooMany(retry_after_seconds=17),
    "away": lambda: DatabaseAway("x"),
    "operational": lambda: OperationalError("password=hunter2 at host db.internal"),
    "driver": lambda: psycopg.OperationalError("connection to db.internal failed"),
    "unreadable": lambda: UnreadablePostError("gone"),
    "http404": lambda: Http404("secret reason"),
    "denied": lambda: PermissionDenied("secret reason"),
    "suspicious": lambda: SuspiciousOperation("secret reason"),
    "unforeseen": lambda: RuntimeError("secret reason 13800138000"),
}


def echo(request: HttpRequest) -> HttpResponse:
    """Tell what the middleware has found out."""
    person = request.person  # type: ignore[attr-defined]
    site = request.site
    return HttpResponse(
        f"{site.name}|{type(person).__name__}|{person.name}|{current_scope().site_id}"  # type: ignore[union-attr]
        f"|{timezone.get_current_timezone_name()}|{request.client_ip}|{request.is_secure()}"  # type: ignore[attr-defined]
    )


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    """Raise one of the faults."""
    raise FAULTS[kind]()


def post(request: HttpRequest) -> HttpResponse:
    """Say something on the next page."""
    flash(request, "已保存 & <完成>")
    return HttpResponse(request.POST.get("text", "").encode("utf-8", "replace"))


def show(request: HttpRequest) -> HttpResponse:
    """Render a page that shows what was said."""
    from django.shortcuts import render

    return render(request, "web/partials/toasts.html")


@csrf_exempt
def raw(request: HttpRequest) -> HttpResponse:
    """Answer with the raw body."""
    return HttpResponse(request.body)


@open_when_suspended
def goods(request: HttpRequest) -> HttpResponse:
    """Stay open."""
    return HttpResponse("goods")


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Take posts alone."""
    return HttpResponse("done")


def pay(request: HttpRequest) -> HttpResponse:
    """Send a form to a gateway."""
    response = HttpResponse("pay")
    allow_form_target(response, "https://pay.example.com/submit.php?x=1")
    return response


urlpatterns = [
    path("echo", echo),
    path("fail/<str:kind>", fail),
    path("console/fail/<str:kind>", fail),
    path("api/fail/<str:kind>", fail),
    path("post", post),
    path("show", show),
    path("raw", raw),
    path("console/post", post),
    path("goods", goods),
    path("act", act),
    path("pay", pay),
]
handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error

pytestmark = pytest.mark.urls(__name__)
ClientFor = Callable[..., Client]


# hosts


@pytest.mark.parametrize(
    "host", ["a.localhost", "A.LOCALHOST", "a.localhost:8000", "a.localhost.", "a.localhost.:8000"]
)
def test_a_host_leads_to_its_site_however_it_is_written(site_a: Site, host: str) -> None:
    response = Client(HTTP_HOST=host).get("/echo")

    assert response.status_code == 200
    assert response.content.decode().startswith("甲站|Guest|")


@pytest.mark.parametrize(
    "host",
    [
        "unknown.localhost",
        "localhost",
        "127.0.0.1",
        "",
        "a.localhost@evil.example",
        "evil.example@a.localhost",
        "user:pass@a.localhost",
        "a.localhost:99999",
        "a.localhost:8000:8000",
        "a.localhost:80a",
        "a.localhost/../b",
        "a.localhost, b.localhost",
        "[::1]",
        "a.localhost\x00",
        "а.localhost",
        "xn--.localhost",
        "a..localhost",
        "a.localhost" * 100,
        "*",
        "😀.localhost",
    ],
)
def test_a_host_that_is_not_known_is_404_and_never_a_default_site(
    main_site: Site, site_a: Site, host: str
) -> None:
    response = Client(HTTP_HOST=host).get("/echo")

    assert response.status_code == 404
    assert "没有对应的站点" in response.content.decode()
    assert "回到首页" not in response.content.decode()  # there is none


def test_only_the_host_header_decides(site_a: Site, site_b: Site) -> None:
    client = Client(
        HTTP_HOST="a.localhost",
        HTTP_X_FORWARDED_HOST="b.localhost",
        HTTP_FORWARDED="host=b.localhost",
        HTTP_X_HOST="b.localhost",
        HTTP_X_ORIGINAL_HOST="b.localhost",
        SERVER_NAME="b.localhost",
    )

    assert client.get("/echo").content.decode().startswith("甲站|")


def test_a_chinese_host_is_known_by_its_ascii_form(site_a: Site) -> None:
    from kameng.core.audit import SYSTEM
    from kameng.core.scope import platform_scope
    from kameng.tenancy.services import add_domain

    with platform_scope("add a host"):
        add_domain(site_id=site_a.id, host="卡盟.example.cn", is_primary=False, actor=SYSTEM)

    host = "卡盟.example.cn".encode("idna").decode()
    assert Client(HTTP_HOST=host).get("/echo").status_code == 200


# people and sites


def test_a_request_is_opened_for_its_site_and_person(
    client_for: ClientFor, site_a: Site, mei: Buyer
) -> None:
    body = client_for(site_a, mei).get("/echo").content.decode()

    assert body == f"甲站|CustomerPerson|Mei|{site_a.id}|Asia/Shanghai|192.0.2.10|False"
    assert current_scope().site_id is None


def test_a_session_of_site_a_is_nobody_on_site_b(
    client_for: ClientFor, site_a: Site, site_b: Site, mei: Buyer, lin: Staff
) -> None:
    for person in (mei, lin):
        browser = client_for(site_a, person)
        browser.defaults["HTTP_HOST"] = "b.localhost"
        assert browser.get("/echo").content.decode().startswith("乙站|Guest|")


def test_site_and_person_cost_one_query(client_for: ClientFor, site_a: Site, mei: Buyer) -> None:
    # 1: accounts_open_request. The host is known, the scope was sent with the request before.
    for browser in (client_for(site_a), client_for(site_a, mei)):
        for _ in range(2):
            browser.get("/echo")
        with _count_statements() as statements:
            browser.get("/echo")
        assert statements == ["select * from accounts_open_request(%s, %s)"]


def _count_statements() -> Any:
    """Count at the driver: the straight calls do not pass Django's own log."""
    from contextlib import contextmanager
    from unittest import mock

    @contextmanager
    def counting() -> Any:
        statements: list[str] = []
        execute = psycopg.Cursor.execute

        def counted(self: Any, query: Any, *args: Any, **options: Any) -> Any:
            statements.append(str(query))
            return execute(self, query, *args, **options)

        with mock.patch.object(psycopg.Cursor, "execute", counted):
            yield statements

    return counting()


def test_a_suspended_site_closes_its_shop_and_keeps_goods_and_console_open(
    client_for: ClientFor, site_a: Site, lin: Staff
) -> None:
    Site.objects.filter(id=site_a.id).update(state=SiteState.SUSPENDED, suspended_reason="欠费")
    browser = client_for(site_a)

    response = browser.get("/echo")

    assert response.status_code == 403
    assert "暂停营业：欠费" in response.content.decode()
    assert browser.get("/goods").content == b"goods"
    Site.objects.filter(id=site_a.id).update(state=SiteState.OPEN)
    assert browser.get("/echo").status_code == 200


# shapes


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("x=%00", 400),
        ("%00=x", 400),
        ("x=%ff", 400),
        ("x=%C0%80", 400),
        ("x=%ED%A0%80", 400),
        ("x=%F0%9F%98%80", 200),
        ("x=王者".encode().decode("latin-1"), 200),
        ("x=王者", 400),
        ("x=\xff", 200),
        ("x=" + "a" * 9000, 414),
        ("&".join(f"x{n}=1" for n in range(501)), 400),
        ("=&&&;==", 200),
    ],
)
def test_a_query_with_broken_text_is_refused(
    client_for: ClientFor, site_a: Site, query: str, status: int
) -> None:
    response = client_for(site_a).generic("GET", "/echo", QUERY_STRING=query)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"text=%00", "application/x-www-form-urlencoded", 400),
        (b"text=%FF", "application/x-www-form-urlencoded", 400),
        (b"text=\xff", "application/x-www-form-urlencoded", 200),
        (b"text=ok", "application/x-www-form-urlencoded", 200),
        (b"text=ok", "application/x-www-form-urlencoded; charset=bogus", 200),
        (b"text=ok", "", 200),
        (b"x" * 100, "multipart/form-data", 400),
        (b"x" * 100, "multipart/form-data; boundary=", 400),
        (b"--b\r\nbroken", "multipart/form-data; boundary=b", 200),
        (
            b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n\x00\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
        (b"&".join(b"x%d=1" % n for n in range(501)), "application/x-www-form-urlencoded", 400),
        (b"x" * (SMALL_BODY + 1), "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_broken_form_is_refused(
    client_for: ClientFor, site_a: Site, body: bytes, kind: str, status: int
) -> None:
    response = client_for(site_a).generic("POST", "/post", body, content_type=kind)

    assert response.status_code == status
    if status >= 400:
        assert "<h1" in response.content.decode()


def test_an_operator_may_paste_the_sign_of_bad_decoding_but_no_nul(
    client_for: ClientFor, site_a: Site, lin: Staff
) -> None:
    browser = client_for(site_a, lin)

    assert browser.post("/console/post", {"text": "KEY-\ufffd-1"}).status_code == 200
    assert browser.post("/console/post", {"text": "KEY-\x00-1"}).status_code == 400


@pytest.mark.parametrize("length", ["-1", "1e3", "１２", "abc", " 5", "9" * 20])
def test_a_length_that_is_none_is_refused(client_for: ClientFor, site_a: Site, length: str) -> None:
    response = client_for(site_a).generic("POST", "/post", b"x", CONTENT_LENGTH=length)

    assert response.status_code == 400


def test_a_body_without_a_length_is_refused(client_for: ClientFor, site_a: Site) -> None:
    response = client_for(site_a).generic(
        "POST", "/post", b"", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked"
    )

    assert response.status_code == 411


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "FOO", "\x00"])
def test_odd_methods_are_refused(client_for: ClientFor, site_a: Site, method: str) -> None:
    assert client_for(site_a).generic(method, "/echo").status_code == 405


def test_a_method_that_a_page_does_not_take_is_refused_in_words(
    client_for: ClientFor, site_a: Site
) -> None:
    page = client_for(site_a).get("/act")
    told = client_for(site_a).get("/act", HTTP_ACCEPT="application/json")

    assert page.status_code == told.status_code == 405
    assert page.headers["Allow"] == told.headers["Allow"] == "POST"
    assert "这个地址不支持这样访问" in page.content.decode()
    assert told.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://a.localhost/p/3/?variant=4&x=%22", "/p/3/?variant=4&amp;x=%22"),
        ("http://b.localhost/p/3/", ""),
        ("http://a.localhost//evil.example", ""),
        ("http://a.localhost/\\evil.example", ""),
        ("http://a.localhost/fail/conflict", ""),
        ("/p/3/", ""),
        ("javascript:alert(1)", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_a_refusal_leads_back_to_the_page_that_was_left(
    client_for: ClientFor, site_a: Site, referer: str, back: str
) -> None:
    page = client_for(site_a).get("/fail/conflict", HTTP_REFERER=referer).content.decode()

    assert ("返回上一页" in page) is bool(back)
    assert f'href="{back}"' in page or not back
    assert "evil" not in page


@pytest.mark.parametrize(("address", "status"), [("/%00", 400), ("/" + "a" * 2000, 414)])
def test_odd_paths_are_refused(
    client_for: ClientFor, site_a: Site, address: str, status: int
) -> None:
    assert client_for(site_a).get(address).status_code == status


def test_large_bodies_are_for_the_console_alone(settings: LazySettings) -> None:
    assert body_limit("/post", "multipart/form-data; boundary=b") == SMALL_BODY
    assert body_limit("/console/a/keys", "application/x-www-form-urlencoded") == FORM_BODY
    assert body_limit("/console/a/keys", "multipart/form-data") == settings.UPLOAD_LIMIT_BYTES


def test_a_large_body_to_the_console_needs_a_member_of_staff(
    client_for: ClientFor, site_a: Site, mei: Buyer, lin: Staff
) -> None:
    body = {"text": "x" * (SMALL_BODY + 1)}

    assert client_for(site_a).post("/console/post", body).status_code == 413
    assert client_for(site_a, mei).post("/console/post", body).status_code == 413
    assert client_for(site_a, lin).post("/console/post", body).status_code == 200


def test_a_callback_gets_its_bytes_as_they_came(client_for: ClientFor, site_a: Site) -> None:
    response = client_for(site_a).generic("POST", "/raw", b"a=%00&b=\xff\x00", content_type="x")

    assert response.content == b"a=%00&b=\xff\x00"


# faults


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("not_found", 404),
        ("conflict", 409),
        ("too_many", 429),
        ("away", 503),
        ("operational", 503),
        ("driver", 503),
        ("unreadable", 400),
        ("http404", 404),
        ("denied", 403),
        ("suspicious", 400),
        ("unforeseen", 500),
    ],
)
@pytest.mark.parametrize("place", ["/fail/", "/api/fail/"])
def test_every_fault_has_an_answer_that_tells_no_secret(
    client_for: ClientFor, site_a: Site, place: str, kind: str, status: int
) -> None:
    browser = client_for(site_a)
    browser.raise_request_exception = False

    response = browser.get(f"{place}{kind}")

    body = response.content.decode()
    assert response.status_code == status
    assert "secret" not in body
    assert "hunter2" not in body
    assert "internal" not in body
    assert "Traceback" not in body
    if place.startswith("/api/"):
        assert response.headers["Content-Type"] == "application/json"
        assert set(response.json()) >= {"code", "message"}
    else:
        assert "回到首页" in body
    assert response.headers.get("Retry-After") == {429: "17", 503: "5"}.get(status)


def test_a_program_that_asks_for_json_gets_json(client_for: ClientFor, site_a: Site) -> None:
    browser = client_for(site_a)

    response = browser.get("/fail/conflict", HTTP_ACCEPT="application/json")

    assert response.json() == {"code": "conflict", "message": "内容刚刚发生了变化，请刷新后重试。"}


def test_an_unforeseen_fault_is_logged_under_the_id_that_the_answer_shows(
    client_for: ClientFor, site_a: Site, caplog: pytest.LogCaptureFixture
) -> None:
    browser = client_for(site_a)
    browser.raise_request_exception = False

    with caplog.at_level(logging.ERROR, logger="kameng.web"):
        reference = browser.get("/api/fail/unforeseen").json()["reference"]

    (record,) = [each for each in caplog.records if each.name == "kameng.web"]
    assert reference in str(record.msg)
    assert "13800138000" not in str(record.msg)
    assert "RuntimeError" in str(record.msg)


def test_a_database_that_is_away_is_503_even_before_the_site_is_known(
    site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_values: object) -> None:
        raise DatabaseAway("x")

    monkeypatch.setattr("kameng.tenancy.store.fetch_one", away)
    client = Client(HTTP_HOST="a.localhost", raise_request_exception=False)

    response = client.get("/echo")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_the_language_of_the_cookie_is_spoken(client_for: ClientFor, site_a: Site) -> None:
    browser = client_for(site_a)
    for language, lang in (("en", 'lang="en"'), ("zh-hans", 'lang="zh-Hans"'), ("xx", "zh-Hans")):
        browser.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        assert lang in browser.get("/nowhere").content.decode()


# headers


def test_every_answer_carries_the_security_headers(client_for: ClientFor, site_a: Site) -> None:
    for address in ("/echo", "/nowhere", "/fail/conflict"):
        headers = client_for(site_a).get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "'unsafe-inline'" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"].startswith("private")
        assert "Strict-Transport-Security" not in headers


def test_the_nonce_is_never_the_same(client_for: ClientFor, site_a: Site) -> None:
    browser = client_for(site_a)
    policies = {browser.get("/echo").headers["Content-Security-Policy"] for _ in range(5)}

    assert len(policies) == 5


def test_a_page_may_name_the_gateway_that_its_form_goes_to(
    client_for: ClientFor, site_a: Site
) -> None:
    browser = client_for(site_a)

    assert (
        "form-action 'self' https://pay.example.com;"
        in (browser.get("/pay").headers["Content-Security-Policy"])
    )
    assert "form-action 'self';" in browser.get("/echo").headers["Content-Security-Policy"]


@pytest.mark.parametrize("url", ["javascript:x", "//evil", "https://a b/", "https://x;y/", ""])
def test_an_odd_form_target_is_not_let_in(url: str) -> None:
    response = HttpResponse()
    allow_form_target(response, url)

    assert not getattr(response, "form_targets", "")


# proxies


@pytest.mark.parametrize(
    ("trusted", "remote", "forwarded", "expected"),
    [
        ((), "192.0.2.1", "10.9.9.9", "192.0.2.1"),
        (("10.0.0.0/8",), "192.0.2.1", "10.9.9.9", "192.0.2.1"),
        (("10.0.0.0/8",), "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (("10.0.0.0/8",), "10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        (("10.0.0.0/8",), "10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (("10.0.0.0/8",), "10.0.0.1", "<script>, 10.0.0.2", "10.0.0.2"),
        (("10.0.0.0/8",), "10.0.0.1", "", "10.0.0.1"),
        (("::1",), "::1", "2001:db8::7", "2001:db8::7"),
        ((), "", "1.1.1.1", "0.0.0.0"),
    ],
)
def test_the_address_of_the_client_is_believed_from_our_proxies_only(
    settings: LazySettings, trusted: tuple[str, ...], remote: str, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = trusted

    found = find_client_ip({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded})

    assert found == expected


def test_tls_is_believed_from_our_proxies_only(
    client_for: ClientFor, site_a: Site, settings: LazySettings
) -> None:
    browser = client_for(site_a)

    assert browser.get("/echo", HTTP_X_FORWARDED_PROTO="https").content.endswith(b"|False")
    settings.TRUSTED_PROXIES = ("192.0.2.10",)
    response = browser.get("/echo", HTTP_X_FORWARDED_PROTO="https")
    assert response.content.endswith(b"|True")
    assert "Strict-Transport-Security" in response.headers


# forms


def test_a_form_without_our_token_is_refused_in_words(site_a: Site) -> None:
    browser = Client(HTTP_HOST="a.localhost", enforce_csrf_checks=True)

    response = browser.post("/post", {"text": "x"})

    assert response.status_code == 403
    assert "请刷新页面后重新提交" in response.content.decode()
    assert '<h1 class="outcome-title">页面已过期</h1>' in response.content.decode()


def test_a_form_that_is_too_old_leads_back_to_a_fresh_one(site_a: Site) -> None:
    browser = Client(HTTP_HOST="a.localhost", enforce_csrf_checks=True)

    response = browser.post("/post", {"text": "x"}, HTTP_REFERER="http://a.localhost/post")

    assert response.status_code == 403
    assert 'href="/post"' in response.content.decode()


@pytest.mark.parametrize(
    ("headers", "named", "code"),
    [
        (
            {"Origin": "https://a.localhost", "X-Forwarded-For": "203.0.113.7"},
            (),
            "proxy_not_named",
        ),
        ({"Origin": "https://a.localhost"}, (), "csrf_failed"),
        ({"Origin": "http://a.localhost", "X-Forwarded-For": "203.0.113.7"}, (), "csrf_failed"),
        (
            {"Origin": "https://a.localhost", "X-Forwarded-For": "203.0.113.7"},
            ("127.0.0.1",),
            "csrf_failed",
        ),
    ],
)
def test_a_form_that_cannot_pass_an_unnamed_proxy_is_told_so(
    site_a: Site, settings: LazySettings, headers: dict[str, str], named: tuple[str, ...], code: str
) -> None:
    settings.TRUSTED_PROXIES = named
    browser = Client(HTTP_HOST="a.localhost", enforce_csrf_checks=True, REMOTE_ADDR="127.0.0.1")

    response = browser.post(
        "/post", {"text": "x"}, headers={**headers, "Accept": "application/json"}
    )

    assert response.status_code == 403
    assert response.json()["code"] == code


def test_a_flash_is_shown_once_and_cannot_be_forged(client_for: ClientFor, site_a: Site) -> None:
    browser = client_for(site_a)
    browser.post("/post", {"text": "x"})
    browser.post("/post", {"text": "x"})

    first, second = browser.get("/show"), browser.get("/show")

    assert first.content.decode().count("已保存 &amp; &lt;完成&gt;") == 2
    assert "已保存" not in second.content.decode()
    for forged in ("x", "a:b:c", "é", "x" * 5000):
        browser.cookies["kameng_flash"] = forged
        assert browser.get("/show").status_code == 200


def test_a_page_of_a_fault_needs_no_database() -> None:
    request = RequestFactory().get("/x", HTTP_HOST="nowhere")
    request.request_id = "abc"  # type: ignore[attr-defined]
    request.resolver_match = None

    assert errors.server_error(request).status_code == 500
    assert errors.not_found(request, Http404()).status_code == 404


def test_an_upload_is_read_whole(client_for: ClientFor, site_a: Site, lin: Staff) -> None:
    upload = io.BytesIO(b"x" * 3_000_000)
    upload.name = "keys.txt"

    response = client_for(site_a, lin).post("/console/post", {"text": "ok", "file": upload})

    assert response.content == b"ok"
    assert fetch_one("select 1") == (1,)
    assert fetch("select 2") == [(2,)]
    with CaptureQueriesContext(connection) as queries:
        assert not queries.captured_queries
