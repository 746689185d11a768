"""The JSON routes against their own description, by schemathesis: no fault, as described."""

import io
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, given, settings

from kameng.config.wsgi import application
from kameng.openapi.document import build_document
from kameng.tenancy.models import Site
from tests import people

Browse = Callable[..., Client]
EXAMPLES = 60


def test_the_description_names_every_json_route_of_the_storefront() -> None:
    paths = set(build_document()["paths"])

    assert {"/suggest/", "/checkout/", "/pay/{order_no}/status/"} <= paths


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, item in build_document()["paths"].items() for method in item],
)
def test_a_json_route_keeps_to_its_description(
    path: str, method: str, committed_db: None, site_a: Site, client_for: Browse, mei: people.Buyer
) -> None:
    schema = schemathesis.openapi.from_dict(build_document())
    operation = schema[path][method.upper()]
    browsers = [client_for(site_a), client_for(site_a, mei)]
    for browser in browsers:
        browser.raise_request_exception = False
    seen: set[int] = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        for browser in browsers:
            response = _send(browser, case)
            seen.add(response.status_code)
            assert response.status_code < 500, (case, response.content[:500])
            assert b"Traceback" not in response.content

    ask()
    assert seen
    described = {int(code) for code in build_document()["paths"][path][method]["responses"]}
    assert seen <= described | {
        200,
        201,
        301,
        302,
        303,
        400,
        401,
        403,
        404,
        405,
        409,
        411,
        414,
        429,
    }


def _send(browser: Client, case: Any) -> Any:
    target = case.formatted_path
    query = case.query or {}
    text = "&".join(f"{quote(str(k))}={quote(str(v))}" for k, v in query.items())
    address = target + (f"?{text}" if text else "")
    headers = {"accept": "application/json"}
    if case.method.upper() == "GET":
        return browser.get(address, headers=headers)
    body = case.body if isinstance(case.body, dict) else {}
    return browser.post(address, {k: str(v) for k, v in body.items()}, headers=headers)


@pytest.mark.parametrize(
    "path", ["/%00", "/%ff", "/p/1/%2e%2e/", "//", "/" + "a" * 3000, "/o/%E4%B8%AD/"]
)
def test_odd_paths_get_a_clear_answer_from_the_raw_application(
    path: str, committed_db: None, site_a: Site
) -> None:
    from urllib.parse import unquote_to_bytes

    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": "",
        "HTTP_HOST": "a.localhost",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(b""),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }

    b"".join(application(environ, lambda text, _headers, _exc=None: status.append(text)))

    assert status
    assert int(status[0].split()[0]) < 500
