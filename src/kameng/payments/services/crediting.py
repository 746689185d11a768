"""Money that a customer puts in: how much a wallet may hold, and the one credit of a top-up.

A wallet is a prepaid card of one shop: what it holds and what is being paid into it stay below the
cap of its holder, which is higher for one whose name the shop knows. What arrives above it after
all (late, or because other money came meanwhile) goes back to its source whole.
"""

from django.db.models import F, Sum

from kameng.accounts.services.marking import lock_customer
from kameng.core import clock
from kameng.core.scope import require_site_id
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.services import Posting, lock_wallet, post_transfers
from kameng.payments import errors
from kameng.payments.models import Payment, PaymentState, Purpose, TopUp
from kameng.payments.rules import room_in_wallet
from kameng.payments.selectors import owner_of_gateway
from kameng.payments.services.bonuses import grant_bonus
from kameng.payments.services.refunding import leave_to_staff, request_refund
from kameng.payments.store import Confirmed
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.closing import are_books_closed
from kameng.tenancy.selectors import get_site_view

OVER_CAP = "wallet over its cap"


def cap_of(*, is_named: bool) -> int:
    """Return what a wallet of the site in force may hold, in 1/10000 yuan."""
    settings = get_site_view(require_site_id()).settings
    return settings.named_cap_amount if is_named else settings.unnamed_cap_amount


def room_of(customer_id: int, *, is_named: bool, but: int = 0) -> int:
    """Return how much more a customer may put in now; exact under the customer's lock alone.

    A top-up that is asked about itself (`but`) does not count.
    """
    return room_in_wallet(
        held=wallet_amount(customer_id),
        opened=_opened(customer_id, but=but),
        cap=cap_of(is_named=is_named),
    )


def reserve_room(customer_id: int, *, amount: int, but: int = 0) -> None:
    """Refuse a top-up that would lead a wallet over its cap; call before it is written.

    One that is written and gets another attempt is named by `but`.

    Locks the customer until the end of the transaction, so that top-ups begun at the same moment
    are counted one after the other. Raises `WalletFull`.
    """
    customer = lock_customer(customer_id)
    is_named = customer.named_at is not None
    room = room_of(customer_id, is_named=is_named, but=but)
    if amount > room:
        raise errors.WalletFull(
            cap=format_yuan(Amount(cap_of(is_named=is_named))), room=format_yuan(Amount(room))
        )


def _opened(customer_id: int, *, but: int = 0) -> int:
    """Return what a customer's top-ups that can still be paid in time would bring."""
    waiting = Payment.objects.filter(
        purpose=Purpose.TOP_UP, state=PaymentState.OPEN, expires_at__gt=clock.now()
    ).values("subject_id")
    rows = TopUp.objects.filter(
        customer_id=customer_id, credited_at=None, over_cap_at=None, id__in=waiting
    ).exclude(id=but)
    total: int | None = rows.aggregate(total=Sum(F("amount") + F("bonus_amount")))["total"]
    return total or 0


def credit_top_up(done: Confirmed, *, gateway_id: int) -> bool:
    """Credit the wallet once with a confirmed payment; the compare-and-set is the guard.

    The customer gets the whole amount and the promised bonus; what the gateway keeps of it is the
    expense of the gateway's owner. False when the wallet may not hold it, the shop has closed for
    good, or the top-up was credited before: then the payment goes back, or waits for a person. Call
    in the confirming transaction. Shares the selling of the site, then locks the customer, then the
    wallet.
    """
    payment = Payment.objects.get(id=int(done.payment_id or 0))
    top_up: TopUp = TopUp.objects.get(id=int(done.paid_for or 0))
    is_closed = are_books_closed(top_up.site_id)
    customer = lock_customer(top_up.customer_id)
    room = room_in_wallet(
        held=lock_wallet(customer.id),
        opened=_opened(customer.id, but=top_up.id),
        cap=cap_of(is_named=customer.named_at is not None),
    )
    if is_closed or top_up.amount > room:
        _send_back(payment, top_up)
        return False
    taken = TopUp.objects.filter(id=top_up.id, credited_at=None).update(credited_at=clock.now())
    if not taken:
        leave_to_staff(payment_id=payment.id)
        return False
    bonus = grant_bonus(top_up) if top_up.amount + top_up.bonus_amount <= room else 0
    _post_credit(top_up, gateway_id=gateway_id, fee=int(done.fee_amount or 0), bonus=bonus)
    return True


def _send_back(payment: Payment, top_up: TopUp) -> None:
    """The wallet is full: the money goes back where its gateway can, else staff decide."""
    leave_to_staff(payment_id=payment.id)
    TopUp.objects.filter(id=top_up.id).update(over_cap_at=clock.now())
    try:
        request_refund(payment=payment, amount=payment.received_amount or 0, reason=OVER_CAP)
    except errors.RefundUnsupported:
        return  # it waits among the payments that a person decides about


def _post_credit(top_up: TopUp, *, gateway_id: int, fee: int, bonus: int) -> None:
    site_id = top_up.site_id
    suspense = account_id(AccountKind.ORDER_SUSPENSE, site_id)
    bearer = _bearer(site_id, gateway_id=gateway_id)
    fees = account_id(AccountKind.GATEWAY_FEES, gateway_id)
    gifts, wallet = account_id(AccountKind.GIFTS, site_id), wallet_of(top_up.customer_id)
    post_transfers(
        [
            Posting(
                site_id=site_id,
                debit=debit,
                credit=credit,
                amount=amount,
                code=code,
                reference_kind=Reference.TOP_UP,
                reference_id=top_up.id,
            )
            for debit, credit, amount, code in (
                (suspense, wallet, top_up.amount, Code.TOP_UP),
                (bearer, fees, fee, Code.TOP_UP_FEE),
                (gifts, wallet, bonus, Code.TOP_UP_BONUS),
            )
        ]
    )


def _bearer(site_id: int, *, gateway_id: int) -> int:
    """Return who bears a gateway's fee: its owner, the main site or an operator of his own."""
    view = get_site_view(site_id)
    if owner_of_gateway(gateway_id) == site_id and not view.is_main:
        return account_id(AccountKind.SITE_TAKINGS, site_id)
    return account_id(AccountKind.SALES, view.main_id)
