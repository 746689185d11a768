"""The import of many card keys through the product's own import; run beside the stack as a program."""

import argparse
import json
import random
import resource
import sys
import time

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session


def write_keys(path: str, count: int, seed: int) -> None:
    """Write so many distinct keys, as a supplier would send them."""
    draw = random.Random(seed)  # noqa: S311 - test data
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            groups = "-".join("".join(draw.choices(letters, k=5)) for _ in range(3))
            file.write(f"{groups}-{number:08d}\r\n")


def main() -> None:
    """Import and print keys, seconds and the memory that the importing process took at most."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--file", required=True)
    wanted = parser.parse_args()
    with database_session(find_home()):
        import django

        django.setup()
        from kameng.core.audit import SYSTEM
        from kameng.inventory.services import importing
        from kameng.tenancy.models import Site
        from kameng.tenancy.selectors import site_scope

        main_id = Site.objects.get(kind=1).id
        variant_id = _variant(main_id)
        write_keys(wanted.file, wanted.keys, seed=7)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        with site_scope(main_id):
            count = importing.import_file(
                variant_id=variant_id, path=wanted.file, filename="keys.txt", actor=SYSTEM
            )
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(
        {"keys": count, "seconds": round(seconds, 2), "memory_growth_mib": round(after - before, 1)},
        sys.stdout,
    )


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
