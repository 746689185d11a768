"""What the environment may say: each setting takes what it knows and refuses the rest by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from kameng.config import environment
from kameng.config.database import django_databases

NAME = "KAMENG_SOMETHING"


def read_settings(home: Path, **values: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KAMENG_")}
    script = (
        "from kameng.config import settings as s;"
        "print(s.TRUSTED_PROXIES, s.PUBLIC_SCHEME, s.PUBLIC_PORT, s.LOG_LEVEL, s.MAIL_FROM,"
        " s.KEYRING_PATH.name)"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**clean, "KAMENG_HOME": str(home), "KAMENG_SECRET_KEY": "x" * 40, **values},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAMENG_TRUSTED_PROXIES", "127.0.0.1, proxy.example"),
        ("KAMENG_PUBLIC_SCHEME", "ftp"),
        ("KAMENG_PUBLIC_SCHEME", "https"),  # and no proxy is named that could end TLS
        ("KAMENG_PUBLIC_PORT", "https"),
        ("KAMENG_PUBLIC_PORT", "70000"),
        ("KAMENG_LOG_LEVEL", "LOUD"),
        ("KAMENG_MAIL_TLS", "maybe"),
        ("KAMENG_MAIL_PORT", "0"),
        ("KAMENG_ALLOW_LOOPBACK", "2"),
        ("KAMENG_SESSION_HOURS", "9" * 5000),
        ("KAMENG_UPLOAD_LIMIT_MB", "１２"),
        ("KAMENG_DATABASE_URL", "mysql://shop@host/shop"),
        ("KAMENG_APP_DATABASE_URL", "shop"),
    ],
)
def test_a_value_that_is_not_understood_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, name: str, value: str
) -> None:
    done = read_settings(tmp_path, **{name: value})

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert name in last
    assert len(last) < 250


def test_settings_that_are_empty_count_as_unset(tmp_path: Path) -> None:
    names = ("TRUSTED_PROXIES", "PUBLIC_SCHEME", "PUBLIC_PORT", "LOG_LEVEL", "MAIL_FROM", "KEYRING")

    done = read_settings(tmp_path, **{f"KAMENG_{name}": "" for name in names})

    assert done.stdout.strip() == "() http 8000 INFO no-reply@localhost keyring.json"


def test_settings_that_are_good_are_taken(tmp_path: Path) -> None:
    done = read_settings(
        tmp_path,
        KAMENG_TRUSTED_PROXIES=" 127.0.0.1, 10.0.0.0/8 ,::1",
        KAMENG_PUBLIC_SCHEME="HTTPS",
        KAMENG_PORT="8140",
        KAMENG_LOG_LEVEL="debug",
    )

    assert done.stdout.strip() == (
        "('127.0.0.1', '10.0.0.0/8', '::1') https 8140 DEBUG no-reply@localhost keyring.json"
    )


@pytest.mark.parametrize("raw", ["0", "11", "x", "-1", "1.5", "٣"])
def test_a_number_out_of_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv(NAME, raw)

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be a whole number from 1 to 10"):
        environment.number(NAME, default=5, low=1, high=10)


@pytest.mark.parametrize(("raw", "read"), [("", 5), (" ", 5), ("1", 1), (" 10 ", 10)])
def test_a_number_within_its_bounds_is_read(
    monkeypatch: pytest.MonkeyPatch, raw: str, read: int
) -> None:
    monkeypatch.setenv(NAME, raw)

    assert environment.number(NAME, default=5, low=1, high=10) == read


def test_without_an_address_of_its_own_the_program_signs_in_as_the_owner_and_acts_as_another() -> (
    None
):
    databases = django_databases("postgresql://owner:secret@db.example/shop")

    assert databases["default"]["USER"] == databases["owner"]["USER"] == "owner"
    assert "-c role=kameng_app" in databases["default"]["OPTIONS"]["options"]
    assert "options" not in databases["owner"]["OPTIONS"]


def test_with_an_address_of_its_own_the_program_never_uses_the_owners() -> None:
    databases = django_databases(
        "postgresql://owner:secret@db.example/shop",
        app_url="postgresql://kameng_app:other@db.example/shop",
    )

    assert (databases["default"]["USER"], databases["default"]["PASSWORD"]) == (
        "kameng_app",
        "other",
    )
    assert databases["owner"]["USER"] == "owner"
    assert "-c role=kameng_app" in databases["default"]["OPTIONS"]["options"]
