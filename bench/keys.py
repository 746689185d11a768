"""The import of many card keys through the product's own import.

Run beside the stack as a program.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session


def write_keys(path: str, count: int, seed: int) -> None:
    """Write so many distinct keys, as a supplier would send them."""
    draw = random.Random(seed)
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            groups = "-".join("".join(draw.choices(letters, k=5)) for _ in range(3))
            file.write(f"{groups}-{number:08d}\r\n")


def main() -> None:
    """Import and print keys and seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--file", required=True)
    wanted = parser.parse_args()
    with database_session(find_home()):
        import django

        django.setup()
        report = measure(wanted.file, wanted.keys)
    json.dump(report, sys.stdout)


def measure(path: str, count: int) -> dict[str, object]:
    """Upload, look through, confirm; the stack's own worker does the work, as for an operator."""
    from kameng.catalog.models import ImportState
    from kameng.catalog.selectors import get_import
    from kameng.core.audit import SYSTEM
    from kameng.inventory.services.importing import KeyImport, confirm_key_import, start_key_import
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import site_scope

    main_id = Site.objects.get(kind=1).id
    variant_id = _variant(main_id)
    write_keys(path, count, seed=7)
    with site_scope(main_id), open(path, "rb") as file:
        started = time.perf_counter()
        chunks = iter(lambda: file.read(1 << 20), b"")
        job = start_key_import(
            chunks, wanted=KeyImport(variant_id=variant_id, filename="keys.txt"), actor=SYSTEM
        )
        _await(lambda: get_import(job.id).state != ImportState.CHECKING)
        checked = time.perf_counter()
        confirm_key_import(job.id, actor=SYSTEM)
        _await(lambda: get_import(job.id).state != ImportState.RUNNING)
        done = time.perf_counter()
        job = get_import(job.id)
    return {
        "keys": job.created_count,
        "seconds": round(done - checked, 2),
        "check_seconds": round(checked - started, 2),
    }


def _await(is_over: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not is_over():
        if time.monotonic() > end:
            raise TimeoutError("the import did not end")
        time.sleep(0.05)


def _variant(main_id: int) -> int:
    from kameng.catalog.models import Category, DeliveryKind, Product, Variant
    from kameng.tenancy.selectors import site_scope

    with site_scope(main_id):
        product = Product.objects.create(
            site_id=main_id,
            category=Category.objects.first(),
            code="IMPORT",
            title="导入测量",
            delivery_kind=DeliveryKind.CARD,
        )
        variant = Variant.objects.create(
            site_id=main_id, product=product, name="1", cost_amount=1, list_amount=100_000
        )
    return int(variant.id)


if __name__ == "__main__":
    main()
