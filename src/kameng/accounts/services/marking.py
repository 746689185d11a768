"""Marks that staff put on a customer: the real name is known, or this one is watched.

A proper check of the real name does not exist yet: a person with the papers in hand sets the mark,
with a reason, and the reason stands in the audit log.
"""

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.models import Customer
from kameng.core import clock
from kameng.core.audit import Actor, record


def lock_customer(customer_id: int) -> Customer:
    """Lock one customer of the site in force, in a transaction; raises `CustomerNotFound`.

    Who opens, credits or returns a top-up takes this lock: the cap of a wallet is counted under
    it. Comes before top-ups, payments and wallets (docs/locking.md).
    """
    rows = Customer.objects.select_for_update(no_key=True).filter(id=customer_id)
    customer: Customer | None = rows.first()
    if customer is None:
        raise errors.CustomerNotFound
    return customer


def mark_named(customer_id: int, *, is_named: bool, reason: str, actor: Actor) -> None:
    """Say that a customer's real name is known to the shop, or not any more; audited."""
    with transaction.atomic():
        customer = lock_customer(customer_id)
        Customer.objects.filter(id=customer_id).update(
            named_at=(customer.named_at or clock.now()) if is_named else None
        )
        record(
            "customer.named" if is_named else "customer.unnamed",
            actor=actor,
            site_id=customer.site_id,
            subject=("customer", customer_id),
            detail={"reason": reason[:200]},
        )


def flag_customer(customer_id: int, *, reason: str, actor: Actor) -> None:
    """Put a customer under watch, with a reason that staff see; an empty one ends it. Audited."""
    with transaction.atomic():
        customer = lock_customer(customer_id)
        Customer.objects.filter(id=customer_id).update(
            flagged_at=clock.now() if reason else None, flag_reason=reason[:200]
        )
        record(
            "customer.flagged" if reason else "customer.unflagged",
            actor=actor,
            site_id=customer.site_id,
            subject=("customer", customer_id),
            detail={"reason": reason[:200]} if reason else {},
        )
