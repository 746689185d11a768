"""The WSGI application: static files by WhiteNoise, everything else by Django.

Importing it starts no thread and keeps no connection, because workers are forked from it. Files
below /static/ carry a hash in their name: served in compressed form, kept by browsers for ever.
"""

import gzip
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from whitenoise import WhiteNoise  # type: ignore[import-untyped]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")

STATIC_ROOT = Path(__file__).resolve().parent.parent / "web" / "static"
HASHED = re.compile(r"\.(?:[0-9a-f]{8,}|[0-9A-Z]{8})\.(?:css|js|svg|woff2)$")
STATIC_PREFIX = "/static/"
OTHER_SECONDS = 3600


class Application:
    """Files from WhiteNoise, pages from Django.

    A page is handed over as one piece with its length known: an iterable response would cross
    from Rust to Python and back for each chunk.
    """

    def __init__(self, *, pages: WSGIHandler, files: WhiteNoise) -> None:
        self.pages = pages
        self.files = files

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"].startswith(STATIC_PREFIX):
            try:
                answer: Iterable[bytes] = self.files(environ, start_response)
            except FileNotFoundError:  # a newer build has taken its place since this start
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"not found"]
            return answer
        response = self.pages(environ, start_response)
        if not isinstance(response, HttpResponse):  # streamed
            return response
        try:
            return [response.content]
        finally:
            response.close()


def make_application() -> Application:
    """Build the application with every page's code loaded, so that workers share it."""
    pages = get_wsgi_application()
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - loads every view before the fork
    compress_files(STATIC_ROOT)
    files = WhiteNoise(
        pages,
        root=STATIC_ROOT,
        prefix=STATIC_PREFIX,
        max_age=OTHER_SECONDS,
        immutable_file_test=lambda _path, url: HASHED.search(url) is not None,
        add_headers_function=_protect,
        allow_all_origins=False,
    )
    return Application(pages=pages, files=files)


def compress_files(root: Path) -> None:
    """Write the compressed form beside each built file that has none; skip a read-only folder."""
    for path in root.rglob("*"):
        packed = path.with_name(f"{path.name}.gz")
        if HASHED.search(path.name) is None or packed.exists():
            continue
        try:
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".gz-")
        except OSError:
            return
        with os.fdopen(handle, "wb") as file:
            file.write(gzip.compress(path.read_bytes(), 9, mtime=0))
        os.chmod(draft, 0o644)
        os.replace(draft, packed)


def _protect(headers: dict[str, str], _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"


application = make_application()
