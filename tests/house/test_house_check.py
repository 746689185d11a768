"""The house is kept, and each of its rules bites when it is broken on purpose."""

import ast
import pathlib

import pytest

from tools import house_check
from tools.house_check import Rule, Source
from tools.layers import ROOT, read_heights

PACKAGE = ROOT / "src" / "kameng"


def run(rule: Rule, relative: str, text: str) -> list[str]:
    source = Source(
        relative=relative, app=relative.split("/", maxsplit=1)[0], text=text, tree=ast.parse(text)
    )
    return [what for _, what in rule(source)]


def test_python_rules_are_kept() -> None:
    assert list(house_check.list_breaches(PACKAGE)) == []


def test_every_app_of_the_order_exists() -> None:
    assert list(house_check.list_missing_apps(PACKAGE)) == []


def test_order_of_the_apps_is_read_from_one_place() -> None:
    heights = read_heights()

    assert heights["core"] == 1
    assert heights["accounts"] == heights["ledger"]
    assert heights["orders"] > heights["payments"] > heights["inventory"] > heights["catalog"]
    assert heights["config"] == max(heights.values())


LONG = "def f() -> int:\n" + "    a = 1\n" * 59
LONGER = "def f() -> int:\n" + "    a = 1\n" * 60

CASES: list[tuple[Rule, str, str, str]] = [
    (
        house_check.check_private_modules,
        "orders/services.py",
        "from kameng.inventory.services import claim_cards",
        "from kameng.inventory.store import claim",
    ),
    (
        house_check.check_private_modules,
        "orders/services.py",
        "from kameng.orders import store",
        "def f() -> None:\n    from kameng.inventory import store",
    ),
    (
        house_check.check_private_modules,
        "config/wiring.py",
        "from kameng.orders.handlers import settle_payment",
        "",
    ),
    (
        house_check.check_foreign_managers,
        "orders/services.py",
        "from kameng.catalog.models import Product\nx: Product",
        "from kameng.catalog.models import Product as P\nP.objects.get(id=1)",
    ),
    (
        house_check.check_foreign_managers,
        "orders/services.py",
        "from kameng.orders.models.placing import Order\nOrder.objects.get(id=1)",
        "from kameng.catalog.models.goods import Product\nProduct.objects.get(id=1)",
    ),
    (
        house_check.check_tables_by_their_app,
        "orders/models/placing.py",
        "from kameng.orders.models.gone import Gone\nfrom kameng.catalog.models import Product",
        "from kameng.catalog.models.goods import Product",
    ),
    (
        house_check.check_bare_saves,
        "orders/models/placing.py",
        "def keep() -> None: ...",
        "def save(self) -> None: ...",
    ),
    (
        house_check.check_no_http_in_domain,
        "orders/services.py",
        "from django.db import models",
        "from django.shortcuts import redirect",
    ),
    (
        house_check.check_no_http_in_domain,
        "storefront/views.py",
        "from django.shortcuts import redirect",
        "",
    ),
    (
        house_check.check_views_ask,
        "console/views/orders.py",
        "orders = list_orders()",
        "orders = Order.objects.all()",
    ),
    (
        house_check.check_raw_sql,
        "orders/services.py",
        "from kameng.core.database import in_transaction",
        "from kameng.core.database import fetch",
    ),
    (
        house_check.check_raw_sql,
        "orders/services.py",
        "task.execute()",
        "with connection.cursor() as cursor:\n    cursor.execute('select 1')",
    ),
    (
        house_check.check_raw_sql,
        "orders/selectors.py",
        "Order.objects.filter(id=1)",
        "Order.objects.raw('select 1')",
    ),
    (
        house_check.check_raw_sql,
        "orders/store.py",
        "from kameng.core.database import fetch\nconnection.cursor()",
        "",
    ),
    (
        house_check.check_locks_are_named,
        "orders/services.py",
        "def lock_orders(ids: list[int]) -> None:\n    Order.objects.select_for_update()",
        "def place_order() -> None:\n    Order.objects.select_for_update()",
    ),
    (
        house_check.check_bare_saves,
        "orders/services.py",
        "order.save(update_fields=['state'])",
        "order.save()",
    ),
    (
        house_check.check_bare_saves,
        "orders/models.py",
        "class Order:\n    def no(self) -> int: ...",
        "class Order:\n    def save(self) -> int: ...",
    ),
    (house_check.check_no_fractions, "orders/services.py", "rate_bps = 850", "rate = 8.5"),
    (
        house_check.check_no_fractions,
        "orders/services.py",
        "count = int(text)",
        "def f(price: float) -> None: ...",
    ),
    (
        house_check.check_no_fractions,
        "orders/models.py",
        "models.BigIntegerField()",
        "models.DecimalField()",
    ),
    (house_check.check_no_fractions, "pricing/quote.py", "a // b", "a / b"),
    (house_check.check_no_fractions, "core/http.py", "read_seconds = 6.0", ""),
    (house_check.check_sizes, "orders/services.py", LONG, LONGER),
    (house_check.check_sizes, "orders/services.py", "a = 1\n" * 600, "a = 1\n" * 601),
    (
        house_check.check_parameters,
        "orders/services.py",
        "def f(a, *, b, c, d, e): ...",
        "def f(a, *, b, c, d, e, f): ...",
    ),
    (
        house_check.check_parameters,
        "orders/services/placing.py",
        "class A:\n    def f(self, a, *, b): ...",
        "class A:\n    def f(self, a, b): ...",
    ),
    (house_check.check_parameters, "web/paging.py", "def f(a, b): ...", ""),
    (house_check.check_names, "orders/placing.py", "a = 1", ""),
    (house_check.check_finished, "orders/services.py", "# why", "# TODO later"),
    (
        house_check.check_finished,
        "orders/services.py",
        "try:\n    pass\nexcept NotImplementedError:\n    a = 1",
        "def f() -> None:\n    raise NotImplementedError",
    ),
    (
        house_check.check_docstring,
        "orders/__init__.py",
        '"""Owns orders, from placing to delivery."""',
        '"""Orders."""',
    ),
]


@pytest.mark.parametrize(
    ("rule", "relative", "good", "bad"), CASES, ids=lambda value: getattr(value, "__name__", None)
)
def test_rule_lets_the_good_pass_and_catches_the_bad(
    rule: Rule, relative: str, good: str, bad: str
) -> None:
    assert run(rule, relative, good) == []
    if bad:
        assert len(run(rule, relative, bad)) >= 1


def test_vague_module_name_is_caught() -> None:
    assert run(house_check.check_names, "orders/utils.py", "a = 1") != []


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} == set(house_check.RULES)


def test_breach_is_reported_with_its_place(tmp_path: pathlib.Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "services.py").write_text("a = 1\norder.save()\n")

    found = list(house_check.list_breaches(tmp_path))

    assert found == ["orders/services.py:2: bare save(): name the update_fields"]
