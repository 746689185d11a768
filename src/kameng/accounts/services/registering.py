"""Customers: registration, their name and password, the operator's switch and remark."""

from collections.abc import Iterator

from django.db import IntegrityError, transaction

from kameng.accounts import errors
from kameng.accounts.hashing import check_password
from kameng.accounts.models import Customer, Session
from kameng.accounts.rules import clean_login, clean_nickname
from kameng.accounts.selectors import digest_login, get_customer, login_of
from kameng.accounts.services.passwords import hash_new_password
from kameng.core.audit import Actor, record
from kameng.core.crypto import binding, encrypt_text, opens, ring
from kameng.core.ids import token_digest
from kameng.core.scope import platform_scope, require_site_id

ROTATION_BATCH = 500
SAMPLE = 20


def register_customer(*, login_text: str, password: str, nickname: str = "") -> Customer:
    """Make a customer of the site in force.

    Raises `LoginInvalid`, `LoginTaken`, `NicknameInvalid` or a refusal of the password.
    """
    site_id = require_site_id()
    login = clean_login(login_text)
    if login is None:
        raise errors.LoginInvalid
    name = clean_nickname(nickname) or login.hint[:20]
    encoded = hash_new_password(password, login=login.text)
    digest = digest_login(login, site_id=site_id)
    try:
        with transaction.atomic():
            customer: Customer = Customer.objects.create(
                site_id=site_id,
                login_digest=digest,
                login_cipher=encrypt_text(login.text, binding(site_id, "customer", digest.hex())),
                login_kind=login.kind,
                login_hint=login.hint,
                nickname=name,
                password=encoded,
            )
    except IntegrityError as fault:
        raise errors.LoginTaken from fault
    return customer


def rename_customer(customer_id: int, *, nickname: str) -> None:
    """Change the name that a customer is shown by. Raises `NicknameInvalid`."""
    name = clean_nickname(nickname)
    if not name:
        raise errors.NicknameInvalid
    if not Customer.objects.filter(id=customer_id).update(nickname=name):
        raise errors.CustomerNotFound


def change_customer_password(
    customer_id: int, *, old_password: str, new_password: str, keep_token: str
) -> None:
    """Change a customer's password and end all other sessions.

    Raises `PasswordWrong` or a refusal of the new one. Callers count attempts (`risk`).
    """
    customer = get_customer(customer_id)
    if not check_password(old_password, customer.password)[0]:
        raise errors.PasswordWrong
    encoded = hash_new_password(new_password, login=login_of(customer))
    _set_password(customer.id, encoded=encoded, keep_token=keep_token)


def reset_customer_password(customer_id: int, *, new_password: str) -> None:
    """Set a new password after the contact was proved by a code; every session ends."""
    customer = get_customer(customer_id)
    encoded = hash_new_password(new_password, login=login_of(customer))
    _set_password(customer.id, encoded=encoded, keep_token="")


def set_customer_active(
    customer_id: int, *, is_active: bool, actor: Actor, reason: str = ""
) -> None:
    """Let a customer in or lock one out; effective at the next request."""
    site_id = require_site_id()
    with transaction.atomic():
        if not Customer.objects.filter(id=customer_id).update(is_active=is_active):
            raise errors.CustomerNotFound
        if not is_active:
            Session.objects.filter(customer_id=customer_id).delete()
        record(
            "customer.unlocked" if is_active else "customer.locked",
            actor=actor,
            site_id=site_id,
            subject=("customer", customer_id),
            detail={"reason": reason[:200]} if reason else {},
        )


def end_customer_sessions(customer_id: int, *, actor: Actor) -> int:
    """Sign a customer out everywhere on the site in force; return how many sessions ended."""
    site_id = require_site_id()
    with transaction.atomic():
        get_customer(customer_id)
        ended = int(Session.objects.filter(customer_id=customer_id).delete()[0])
        record(
            "customer.signed_out",
            actor=actor,
            site_id=site_id,
            subject=("customer", customer_id),
            detail={"sessions": ended},
        )
    return ended


def reveal_customer_login(customer_id: int, *, actor: Actor) -> str:
    """Return a customer's login in clear to a member of staff; audited."""
    with transaction.atomic():
        customer = get_customer(customer_id)
        login = login_of(customer)
        record(
            "customer.login_revealed",
            actor=actor,
            site_id=customer.site_id,
            subject=("customer", customer_id),
        )
    return login


def set_customer_note(customer_id: int, *, note: str) -> None:
    """Keep the operator's remark about a customer (at most 200 characters)."""
    if not Customer.objects.filter(id=customer_id).update(note=note[:200]):
        raise errors.CustomerNotFound


def rotate_accounts() -> Iterator[int]:
    """Encrypt logins with the current key where they are not; yield the size of each batch.

    Resumable: what is done is recognised by its key version. Each batch is one transaction.
    """
    current = bytes((ring().current % 256,))
    last_id = 0
    while True:
        with platform_scope("rotate the keys of customer logins"), transaction.atomic():
            rows = list(
                Customer.unscoped.filter(id__gt=last_id)
                .order_by("id")
                .only("id", "site_id", "login_digest", "login_cipher")[:ROTATION_BATCH]
            )
            if not rows:
                return
            last_id = rows[-1].id
            stale = [row for row in rows if bytes(row.login_cipher)[:1] != current]
            for row in stale:
                aad = binding(row.site_id, "customer", bytes(row.login_digest).hex())
                row.login_cipher = encrypt_text(login_of(row), aad)
            Customer.unscoped.bulk_update(stale, ["login_cipher"])
        yield len(stale)


def probe_accounts() -> Iterator[bool]:
    """Yield for some customers whether the key ring opens their logins."""
    with platform_scope("does the key ring fit"):
        for row in Customer.unscoped.order_by("-id")[:SAMPLE]:
            aad = binding(row.site_id, "customer", bytes(row.login_digest).hex())
            yield opens(bytes(row.login_cipher), aad)


def _set_password(customer_id: int, *, encoded: str, keep_token: str) -> None:
    with transaction.atomic():
        Customer.objects.filter(id=customer_id).update(password=encoded)
        others = Session.objects.filter(customer_id=customer_id)
        if keep_token:
            others = others.exclude(token_digest=token_digest(keep_token))
        others.delete()
