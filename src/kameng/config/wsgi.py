"""The WSGI application: static files by WhiteNoise, everything else by Django.

Importing it starts no thread and keeps no connection, because workers are forked from it. Files
below /static/ carry a hash in their name: served in compressed form, kept by browsers for ever.
"""

import gzip
import os
import re
import tempfile
from pathlib import Path

from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise  # type: ignore[import-untyped]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")

STATIC_ROOT = Path(__file__).resolve().parent.parent / "web" / "static"
HASHED = re.compile(r"\.[0-9a-f]{8,}\.(?:css|js|svg|woff2)$")
OTHER_SECONDS = 3600


def make_application() -> WhiteNoise:
    """Build the application with every page's code loaded, so that workers share it."""
    django = get_wsgi_application()
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - loads every view before the fork
    compress_files(STATIC_ROOT)
    return WhiteNoise(
        django,
        root=STATIC_ROOT,
        prefix="static/",
        max_age=OTHER_SECONDS,
        immutable_file_test=lambda _path, url: HASHED.search(url) is not None,
        add_headers_function=_protect,
        allow_all_origins=False,
    )


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
