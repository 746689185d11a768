"""A wallet moved by hand: by one person up to the threshold of the site, by two above it."""

from dataclasses import dataclass

from django.db import transaction

from kameng.accounts.models import Approval
from kameng.accounts.selectors import get_customer
from kameng.accounts.services.approving import ApprovalWish
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.ledger.services import adjust_wallet
from kameng.payments.services.second_person import ADJUST, ask_above_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """How a wallet is moved: `amount` below zero takes from it."""

    customer_id: int
    amount: int
    reason: str


def adjust_or_ask(adjustment: Adjustment, *, actor: Actor) -> Approval | None:
    """Move a wallet of the site in force, or let it wait for a second person: then the wish.

    Raises as `adjust_wallet` and `ask_approval`, and `CustomerNotFound`.
    """
    customer = get_customer(adjustment.customer_id)
    with transaction.atomic():
        wish = ApprovalWish(
            kind=ADJUST,
            permission="customers.adjust",
            about_id=customer.id,
            amount=abs(adjustment.amount),
            reason=adjustment.reason,
            details={"amount": adjustment.amount},
        )
        asked = ask_above_threshold(wish, actor=actor)
        if asked is None:
            _adjust(customer.id, adjustment.amount, adjustment.reason, actor)
    return asked


def carry_out_adjustment(approval: Approval) -> None:
    """Move the wallet as a second person approved; call in the transaction of the approval."""
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _adjust(approval.subject_id, approval.wish["amount"], approval.reason, actor)


def _adjust(customer_id: int, amount: int, reason: str, actor: Actor) -> None:
    adjust_wallet(
        site_id=require_site_id(),
        customer_id=customer_id,
        amount=amount,
        reason=reason,
        actor=actor,
    )
