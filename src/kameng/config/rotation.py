"""`kameng rotate-keys`: a fresh key, everything encrypted with it, the old keys forgotten.

Resumable at any point: the new key is current from its first moment, old ones stay readable until
nothing uses them. Running processes read the key file anew when they meet a version they lack.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SETTLE_SECONDS = 3.0


def run(argv: Sequence[str] = ()) -> int:
    """Rotate; `--continue` goes on with the current key, `--keep-old` leaves the old ones."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
    import django
    from django.apps import apps
    from django.conf import settings

    if not apps.ready:
        django.setup()
    from kameng.core import keyring

    path = Path(settings.KEYRING_PATH)
    if "--continue" not in argv:
        print(f"a new key: version {keyring.add_key(path)}")
    # Running processes look at the key file once a second: wait until all write with the new key.
    time.sleep(SETTLE_SECONDS)
    while rotate_everything(say=print):
        continue
    if "--keep-old" not in argv:
        keyring.drop_keys(path, keep=keyring.load(path).current)
        print("old keys are gone from the key file")
    return 0


def rotate_everything(*, say: Callable[[str], object]) -> int:
    """Re-encrypt every stored value with the current key, app by app; return how many it found."""
    found = 0
    for name, rotate in rotations():
        total = sum(rotate())
        found += total
        say(f"{name}: {total} rows")
    return found


def rotations() -> list[tuple[str, Callable[[], Iterator[int]]]]:
    """Return (name, rotation) of each app that keeps ciphers."""
    from kameng.accounts.services.registering import rotate_accounts
    from kameng.inventory.services.rotating import rotate_inventory
    from kameng.messaging.services import rotate_messaging
    from kameng.orders.services.rotating import rotate_orders
    from kameng.payments.services.rotating import rotate_payments

    return [
        ("gateways", rotate_payments),
        ("customers", rotate_accounts),
        ("messages", rotate_messaging),
        ("orders", rotate_orders),
        ("card keys", rotate_inventory),
    ]
