"""Throttles and the assessment of a checkout.

Two kinds of counter. `hit` counts in the database, for all processes: sign-in, codes, look-ups.
`assess_checkout` counts in this process alone, because an order has no round trip to spare: with
two workers twice the limit may pass, which the limits allow for. Keys are stored as digests.
"""

import ipaddress

from django.conf import settings

from kameng.accounts.permits import SignInPermit
from kameng.accounts.selectors import normal_login
from kameng.core.crypto import blind_digest
from kameng.risk import clearance, store
from kameng.risk.clearance import Clearance
from kameng.risk.errors import TooManyAttempts, TooManyOrders
from kameng.risk.rules import (
    CODE_BY_CONTACT_DAY,
    CODE_BY_CONTACT_MINUTE,
    CODE_BY_IP,
    CODE_TRY_BY_IP,
    EXPORT_BY_PERSON,
    FORGED_CALLBACK_BY_IP,
    JOIN_BY_IP,
    KNOWN_LINE_SECONDS,
    LINK_TRY_BY_IP,
    ORDERS_BY_PERSON,
    ORDERS_BY_SITE,
    PASSKEY_BY_IP,
    PASSWORD_BY_PERSON,
    REGISTER_BY_IP,
    SECOND_STEP_BY_PERSON,
    SIGN_IN_BY_ACCOUNT,
    SIGN_IN_BY_IP,
    SIGN_IN_BY_SITE,
    TOP_UP_BY_PERSON,
    WINDOW_KEYS,
    Limit,
)
from kameng.risk.windows import SlidingWindows

__all__ = [
    "Clearance",
    "admit_code",
    "admit_code_try",
    "admit_password_change",
    "admit_registration",
    "admit_sign_in",
    "admit_top_up",
    "assess_checkout",
    "forged_callbacks",
    "forget",
    "hit",
    "pardon_account",
    "peek",
    "remember_sign_in",
    "sweep_throttles",
]

ONCE_SECONDS = 24 * 3600

by_person = SlidingWindows(ORDERS_BY_PERSON, keys=WINDOW_KEYS)
by_ip = SlidingWindows(Limit(settings.GUEST_ORDERS_PER_MINUTE, 60), keys=WINDOW_KEYS)
by_site = SlidingWindows(ORDERS_BY_SITE, keys=WINDOW_KEYS)
forged_callbacks = SlidingWindows(FORGED_CALLBACK_BY_IP, keys=WINDOW_KEYS)


def hit(bucket: str, *, key: str, limit: Limit) -> None:
    """Count one attempt; raise `TooManyAttempts` (with `retry_after_seconds`) over the limit.

    Call outside a transaction that a refusal would roll back, or the attempt would not count.
    """
    hits, seconds_left = store.hit(_digest(bucket, key), limit.seconds)
    if hits > limit.hits:
        raise TooManyAttempts(retry_after_seconds=seconds_left)


def peek(bucket: str, *, key: str) -> int:
    """Return the hits in the running window without counting one."""
    return store.peek(_digest(bucket, key))[0]


def forget(bucket: str, *, key: str) -> None:
    """Begin anew for a key, after a success."""
    store.forget(_digest(bucket, key))


def admit_sign_in(
    *, site_id: int, login: str, ip: str, agent: str = "", is_staff: bool = False
) -> SignInPermit:
    """Count a sign-in by address, by account and by site; return the permit to try it.

    Raises `TooManyAttempts`. Existing and unknown accounts are counted alike. The address comes
    first, so that what it is refused for counts against nobody else. A line from which the account
    has signed in lately has tries of its own: strangers cannot use up its owner's.
    """
    line, account = network_of(ip), _account(site_id, login, is_staff=is_staff)
    hit("sign_in_ip", key=line, limit=SIGN_IN_BY_IP)
    if peek("signed_in", key=f"{account}|{line}"):
        hit("sign_in_line", key=f"{account}|{line}", limit=SIGN_IN_BY_ACCOUNT)
    else:
        hit("sign_in", key=account, limit=SIGN_IN_BY_ACCOUNT)
        hit("sign_in_site", key=str(site_id), limit=SIGN_IN_BY_SITE)
    return SignInPermit(site_id=site_id, login=login, ip=ip, agent=agent)


def remember_sign_in(permit: SignInPermit, *, is_staff: bool = False) -> None:
    """Forget the failed tries of an account that has signed in, and know its line for a month.

    What its address was counted for stays.
    """
    account = _account(permit.site_id, permit.login, is_staff=is_staff)
    line = network_of(permit.ip)
    forget("sign_in", key=account)
    forget("sign_in_line", key=f"{account}|{line}")
    store.hit(_digest("signed_in", f"{account}|{line}"), KNOWN_LINE_SECONDS)


def pardon_account(*, site_id: int, login: str, is_staff: bool = False) -> None:
    """Forget the failed tries of an account that has a new password, given or proved by mail."""
    forget("sign_in", key=_account(site_id, login, is_staff=is_staff))


def admit_password_change(person_key: str) -> None:
    """Count a try of one's own old password; raise `TooManyAttempts`."""
    hit("password", key=person_key, limit=PASSWORD_BY_PERSON)


def admit_second_step(user_id: int, *, ip: str) -> None:
    """Count a code of a second factor, by person and by address; raise `TooManyAttempts`.

    Who gets here has the password: a stranger cannot use up its owner's tries.
    """
    hit("sign_in_ip", key=network_of(ip), limit=SIGN_IN_BY_IP)
    hit("second_step", key=str(user_id), limit=SECOND_STEP_BY_PERSON)


def pardon_second_step(user_id: int) -> None:
    """Forget the wrong codes of a person who has given a right one, or was reset."""
    forget("second_step", key=str(user_id))


def admit_passkey(*, site_id: int, ip: str, agent: str = "") -> SignInPermit:
    """Count a passkey's challenge or answer by address; return the permit to sign in by it."""
    hit("passkey_ip", key=network_of(ip), limit=PASSKEY_BY_IP)
    return SignInPermit(site_id=site_id, login="", ip=ip, agent=agent)


def admit_join(*, ip: str) -> None:
    """Count a try to make an account by an invitation, by address; raise `TooManyAttempts`."""
    hit("join_ip", key=network_of(ip), limit=JOIN_BY_IP)


def admit_export(person_key: str) -> None:
    """Count a list taken away as a file; raise `TooManyAttempts`."""
    hit("export", key=person_key, limit=EXPORT_BY_PERSON)


def admit_registration(*, ip: str) -> None:
    """Count a registration by address; raise `TooManyAttempts`."""
    hit("register_ip", key=network_of(ip), limit=REGISTER_BY_IP)


def admit_top_up(*, customer_id: int) -> None:
    """Count a top-up that a customer begins; raise `TooManyAttempts`."""
    hit("top_up", key=str(customer_id), limit=TOP_UP_BY_PERSON)


def admit_code(*, site_id: int, contact: str, ip: str) -> None:
    """Count a code about to be sent, by contact and by address; raise `TooManyAttempts`."""
    hit("code_minute", key=f"{site_id}:{contact}", limit=CODE_BY_CONTACT_MINUTE)
    hit("code_day", key=f"{site_id}:{contact}", limit=CODE_BY_CONTACT_DAY)
    hit("code_ip", key=network_of(ip), limit=CODE_BY_IP)


def admit_code_try(*, ip: str) -> None:
    """Count a try of a code by address; raise `TooManyAttempts`."""
    hit("code_try", key=network_of(ip), limit=CODE_TRY_BY_IP)


def admit_link_try(*, ip: str) -> None:
    """Count a link that opened nothing by address; raise `TooManyAttempts`."""
    hit("link_try", key=network_of(ip), limit=LINK_TRY_BY_IP)


def assess_checkout(*, site_id: int, actor: str, ip: str) -> Clearance:
    """Let a checkout through or raise `TooManyOrders`. No round trip, no lock held.

    `actor` names the person: `customer:<id>`, or the digest of a guest's contact.
    """
    # Many customers may stand behind one address, and each has an account: only guests count by it.
    is_guest = not actor.startswith("customer:")
    for windows, key, counts in (
        (by_person, (site_id, actor), True),
        (by_ip, network_of(ip), is_guest),
        (by_site, site_id, True),
    ):
        seconds = windows.hit(key) if counts else 0
        if seconds:
            raise TooManyOrders(retry_after_seconds=seconds)
    return clearance.grant(site_id=site_id, actor=actor, ip=ip)


def network_of(ip: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 that one IPv6 line has."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.ip_network((ip.partition("%")[0], 64), strict=False))
    except ValueError:
        return ip


def sweep_throttles() -> int:
    """Delete windows that have ended; return how many rows."""
    return store.sweep()


def forget_windows() -> None:
    """Empty this process's counters of orders."""
    for windows in (by_person, by_ip, by_site):
        windows.clear()


def _account(site_id: int, login: str, *, is_staff: bool) -> str:
    # Staff are global, so their tries on every site count together.
    text = normal_login(login, is_staff=is_staff)
    return f"staff:{text}" if is_staff else f"{site_id}:{text}"


def _digest(bucket: str, key: str) -> bytes:
    return blind_digest(key.encode("utf-8", "surrogatepass"), domain=f"throttle:{bucket}")


def admit_once(bucket: str, *, key: str) -> bool:
    """Take a key; False when it was taken within a day. For acts whose service keeps no key.

    Call outside the transaction of the act; `forget` the key when the act was refused.
    """
    hits, _seconds_left = store.hit(_digest(bucket, key), ONCE_SECONDS)
    return hits == 1
