"""The documents name what the program has, and a gap is caught."""

import pathlib

import pytest

from tools import docs_check
from tools.layers import ROOT


def write(root: pathlib.Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def test_every_setting_is_documented() -> None:
    assert list(docs_check.check_settings(ROOT)) == []


def test_every_event_is_documented() -> None:
    assert list(docs_check.check_events(ROOT)) == []


def test_every_table_is_a_word_of_the_glossary() -> None:
    assert list(docs_check.check_glossary(ROOT)) == []


def test_undocumented_and_invented_settings_are_caught(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/kameng/config/settings.py", 'read("KAMENG_PORT"); read("KAMENG_HOST")')
    write(tmp_path, "docs/settings.md", "`KAMENG_PORT` and `KAMENG_GHOST`")

    assert list(docs_check.check_settings(tmp_path)) == [
        "docs/settings.md: KAMENG_HOST is not documented",
        "docs/settings.md: KAMENG_GHOST does not exist",
    ]


def test_undocumented_event_is_caught(tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        "src/kameng/orders/events.py",
        "class OrderPaid(Event): ...\nclass OrderDelivered(Event): ...\n",
    )
    write(tmp_path, "docs/events.md", "| `OrderPaid` |")

    assert list(docs_check.check_events(tmp_path)) == [
        "docs/events.md: orders.OrderDelivered is not documented"
    ]


@pytest.mark.parametrize("module", ["models.py", "models/placing.py"])
def test_table_without_a_word_is_caught(tmp_path: pathlib.Path, module: str) -> None:
    write(
        tmp_path,
        f"src/kameng/orders/{module}",
        "class Order(TenantModel):\n    x = 1\n"
        "class Widget(models.Model):\n    x: int = 1\nclass Kind(TextChoices):\n    A = 1\n",
    )
    write(tmp_path, "docs/glossary.md", "| 订单 | order | `Order.order_no` |")

    assert list(docs_check.check_glossary(tmp_path)) == [
        "docs/glossary.md: the table Widget is not a word of the glossary"
    ]
