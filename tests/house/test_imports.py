"""Imports point down the one order of the apps; each way around it is caught.

The contracts of .importlinter are run on a small package of the same shape, with one import put in
that breaks them: in a function, under TYPE_CHECKING, between neighbours, or from an unlisted app.
"""

import os
import pathlib
import subprocess
import sys

import pytest

from tools.layers import ROOT, read_heights

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: pathlib.Path, source: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build(folder: pathlib.Path, files: dict[str, str]) -> None:
    every = {f"kameng/{app}/__init__.py": "" for app in read_heights()}
    every |= {
        "kameng/__init__.py": "",
        "kameng_simulator/__init__.py": "",
        "kameng/config/wiring.py": "from kameng.orders import handlers",
        "kameng/orders/handlers.py": "",
        "kameng/orders/rules.py": "",
        "kameng/orders/services.py": "",
        "kameng/payments/providers/__init__.py": "",
        "kameng/payments/providers/epay/__init__.py": "",
        "kameng/payments/providers/epay/wire.py": "",
        "kameng/core/http.py": "import httpx, django, psycopg",
        "kameng/inventory/models.py": "",
        "kameng/orders/models/__init__.py": "",
        "kameng/orders/models/placing.py": "",
    }
    for path, text in (every | files).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def test_imports_point_down() -> None:
    done = lint(ROOT, ROOT / "src")

    assert done.returncode == 0, done.stdout


def test_package_of_the_same_shape_passes(tmp_path: pathlib.Path) -> None:
    build(tmp_path, {})

    done = lint(tmp_path, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


UPWARD = "from kameng.orders import services"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("kameng/inventory/models.py", UPWARD),
        ("kameng/inventory/models.py", f"def f():\n    {UPWARD}"),
        (
            "kameng/inventory/models.py",
            f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {UPWARD}",
        ),
        ("kameng/accounts/__init__.py", "import kameng.ledger"),
        ("kameng/stray/__init__.py", ""),
        ("kameng/console/__init__.py", "import kameng.orders.handlers"),
        ("kameng/orders/rules.py", "from django.db import models"),
        ("kameng/orders/rules.py", "import kameng.orders.models.placing"),
        ("kameng/pricing/__init__.py", "import httpx"),
        ("kameng/payments/providers/epay/wire.py", "import httpx"),
        ("kameng_simulator/__init__.py", "import kameng.core"),
    ],
)
def test_import_against_the_order_is_caught(tmp_path: pathlib.Path, path: str, text: str) -> None:
    build(tmp_path, {path: text})

    assert lint(tmp_path, tmp_path).returncode != 0
