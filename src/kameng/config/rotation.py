"""`kameng rotate-keys`: a fresh key, everything encrypted with it, the old keys forgotten.

Resumable at any point: the new key is current from its first moment, old ones stay readable until
nothing uses them. Running processes read the key file anew when they meet a version they lack.
Also: whether the key ring is the one that the database was written with.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kameng.config.launch.failure import LaunchFailed

SETTLE_SECONDS = 3.0
# What was encrypted just before the new key may be written a little later: a statement waits for a
# lock ten seconds at most, then it is given up. The old keys are kept longer than that.
STRAGGLER_SECONDS = 15.0


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
    try:
        with keyring.hold(path):
            _rotate(path, is_new="--continue" not in argv, drops_old="--keep-old" not in argv)
    except keyring.KeyringBusy as fault:
        raise LaunchFailed(
            f"Another rotation of {path} is under way.", remedy="Wait until it has ended."
        ) from fault
    return 0


def _rotate(path: Path, *, is_new: bool, drops_old: bool) -> None:
    from kameng.core import keyring

    if is_new:
        print(f"a new key: version {keyring.add_key(path)}", flush=True)
    begun = time.monotonic()
    # Running processes look at the key file once a second: wait until all write with it.
    time.sleep(SETTLE_SECONDS)
    while rotate_everything(say=print):
        continue
    if drops_old:
        print("waiting for what was under way", flush=True)
        time.sleep(max(0.0, begun + STRAGGLER_SECONDS - time.monotonic()))
        while rotate_everything(say=print):
            continue
        keyring.drop_keys(path, keep=keyring.load(path).current)
        print("old keys are gone from the key file")


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
    from kameng.accounts.services.second_factors import rotate_second_factors
    from kameng.catalog.services.rotating import rotate_uploads
    from kameng.insight.services.archiving import rotate_archives
    from kameng.inventory.services.rotating import rotate_inventory
    from kameng.messaging.services import rotate_messaging
    from kameng.orders.services.rotating import rotate_orders
    from kameng.payments.services.rotating import rotate_payments
    from kameng.settlement.services.rotating import rotate_settlement

    return [
        ("gateways", rotate_payments),
        ("payout accounts", rotate_settlement),
        ("customers", rotate_accounts),
        ("second factors", rotate_second_factors),
        ("messages", rotate_messaging),
        ("orders", rotate_orders),
        ("uploads", rotate_uploads),
        ("archives", rotate_archives),
        ("card keys", rotate_inventory),
    ]


def check_ring() -> None:
    """Raise `LaunchFailed` when the key ring opens nothing of what is stored.

    A single value may be damaged; none that opens, among some of each kind, is another key file.
    """
    from django.conf import settings

    from kameng.accounts.services.registering import probe_accounts
    from kameng.accounts.services.second_factors import probe_second_factors
    from kameng.inventory.services.rotating import probe_inventory
    from kameng.orders.services.rotating import probe_orders
    from kameng.payments.services.rotating import probe_payments
    from kameng.settlement.services.rotating import probe_settlement

    probes = (
        *(probe_payments, probe_accounts, probe_second_factors),
        *(probe_orders, probe_inventory, probe_settlement),
    )
    outcomes = [outcome for probe in probes for outcome in probe()]
    if outcomes and not any(outcomes):
        raise LaunchFailed(
            f"The key file {settings.KEYRING_PATH} is not the one that this database was written"
            " with: nothing in it can be read.",
            remedy="Put the right one back from your backup; it must be of the database's time,"
            " because a rotation drops older keys. Nothing was changed.",
        )
