"""The WSGI application as a server calls it: raw environments, static files, whole answers."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kameng.config import wsgi
from kameng.tenancy.models import Site
from kameng.web.assets import load_manifest

Answer = tuple[str, dict[str, str], bytes]


def call(path: str, *, method: str = "GET", **environ: str) -> Answer:
    seen: dict[str, Any] = {}

    def start_response(status: str, headers: Iterable[tuple[str, str]], *_rest: Any) -> None:
        seen["status"], seen["headers"] = status, {k.lower(): v for k, v in headers}

    body = wsgi.application(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            **environ,
        },
        start_response,
    )
    return seen["status"], seen["headers"], b"".join(body)


@pytest.fixture
def built() -> str:
    try:
        return f"/static/{load_manifest()['storefront.css']}"
    except Exception:
        pytest.skip("the front end is not built")


def test_a_page_comes_in_one_piece(committed_db: None, site_a: Site) -> None:
    status, headers, body = call("/openapi.json", HTTP_HOST="a.localhost")

    assert status == "200 OK"
    assert headers["content-type"] == "application/json"
    assert body.startswith(b"{")


def test_a_built_file_is_packed_and_kept_for_ever(built: str) -> None:
    plain = call(built)
    packed = call(built, HTTP_ACCEPT_ENCODING="gzip")

    assert packed[1]["content-encoding"] == "gzip"
    assert len(packed[2]) < len(plain[2]) / 2
    assert "immutable" in plain[1]["cache-control"]
    assert plain[1]["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/../settings.py",
        "/static/kameng/../../../config/settings.py",
        "/static//etc/passwd",
        "/static/kameng/.gitignore",
        "/static/\x00",
        "/static/" + "a" * 3000,
    ],
)
def test_nothing_but_built_files_lies_below_static(
    committed_db: None, site_a: Site, path: str
) -> None:
    status, _headers, _body = call(path, HTTP_HOST="a.localhost")

    assert status[:3] in {"404", "400", "414"}


@pytest.mark.parametrize("method", ["POST", "DELETE", "FOO"])
def test_built_files_are_only_read(built: str, method: str) -> None:
    assert call(built, method=method)[0].startswith("405")


def test_compressing_again_changes_nothing(tmp_path: Any) -> None:
    (tmp_path / "a.0123456789.css").write_text("a {}" * 100)
    (tmp_path / "manifest.json").write_text("{}")
    write: Callable[[Any], None] = wsgi.compress_files
    write(tmp_path)
    write(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.0123456789.css",
        "a.0123456789.css.gz",
        "manifest.json",
    ]
