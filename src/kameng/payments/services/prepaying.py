"""The prepaid balance of a sub-site whose operator takes the buyers' money: pay-ins, corrections.

By a gateway of the main site, like a top-up, or booked by the main site's staff when a bank
transfer has come. Every call works on the operator's site in force. What spends it is an order's
own sale.
"""

import datetime as dt

from django.db import IntegrityError, transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_number
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, prepaid_of
from kameng.ledger.errors import PrepaidShort, WalletShort
from kameng.ledger.services import Posting, post_transfers, set_credit
from kameng.payments import errors
from kameng.payments.events import PrepaidRaised
from kameng.payments.models import Payment, PrepaidIn, PrepaidSource, Purpose
from kameng.payments.rules import PREPAID_MAX_AMOUNT, PREPAID_MIN_AMOUNT, is_prepaid_amount
from kameng.payments.selectors import PayChoice
from kameng.payments.services.paying import TOP_UP_SECONDS, open_payment
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.closing import require_books, require_staying
from kameng.tenancy.selectors import get_site_view


def start_prepaid(
    *, site_id: int, amount: int, choice: PayChoice, idempotency_key: str, actor: Actor
) -> tuple[PrepaidIn, Payment]:
    """Open a payment into the site's prepaid balance; the same key and content give the first one.

    `choice` is a gateway of the main site. Raises `PrepaidAmountInvalid`, `PrepaidKeyReused`;
    `SiteLeaving` while the site winds down. Shares its selling.
    """
    _check_amount(amount)
    try:
        with transaction.atomic():
            require_staying(site_id)
            paid_in = _create(site_id, amount, PrepaidSource.GATEWAY, idempotency_key, actor)
            payment = open_payment(
                purpose=Purpose.PREPAID,
                paid_for=paid_in.id,
                amount=amount,
                choice=choice,
                expires_at=clock.now() + dt.timedelta(seconds=TOP_UP_SECONDS),
            )
            record(
                "prepaid.started",
                actor=actor,
                site_id=site_id,
                subject=("prepaid", paid_in.prepaid_no),
                detail={"amount": amount},
            )
    except IntegrityError:
        paid_in = PrepaidIn.objects.get(idempotency_key=idempotency_key)
        first = Payment.objects.filter(purpose=Purpose.PREPAID, subject_id=paid_in.id).first()
        if first is None or (paid_in.amount, first.gateway_id) != (amount, choice.gateway_id):
            raise errors.PrepaidKeyReused from None
        return paid_in, first
    return paid_in, payment


def credit_prepaid(*, site_id: int, paid_in_id: int, gateway_id: int, fee_amount: int) -> None:
    """Credit what a confirmed payment paid in, once; call in the confirming transaction.

    The balance gets the whole; what the gateway keeps of it is the main site's expense.
    Publishes `PrepaidRaised`.
    """
    taken = PrepaidIn.objects.filter(id=paid_in_id, credited_at__isnull=True).update(
        credited_at=clock.now()
    )
    if not taken:
        return
    amount = PrepaidIn.objects.values_list("amount", flat=True).get(id=paid_in_id)
    main_id = get_site_view(site_id).main_id
    suspense = account_id(AccountKind.ORDER_SUSPENSE, site_id)
    moves = [
        (suspense, prepaid_of(site_id), amount, Code.PREPAID_IN),
        (
            account_id(AccountKind.SALES, main_id),
            account_id(AccountKind.GATEWAY_FEES, gateway_id),
            fee_amount,
            Code.TOP_UP_FEE,
        ),
    ]
    _post(site_id, moves, reference=(Reference.PREPAID, paid_in_id))
    _announce(site_id, amount)


def book_prepaid(
    *, site_id: int, amount: int, reason: str, idempotency_key: str, actor: Actor
) -> PrepaidIn:
    """Book a bank transfer that has come to the main site, once a key. Audited.

    Raises `PrepaidReasonMissing`, `PrepaidAmountInvalid`, `PrepaidKeyReused`. Publishes
    `PrepaidRaised`. `ShopClosed` once the site is closed: shares its selling.
    """
    if not reason.strip():
        raise errors.PrepaidReasonMissing
    _check_amount(amount)
    bank = account_id(AccountKind.BANK, get_site_view(site_id).main_id)
    try:
        with transaction.atomic():
            require_books(site_id)
            paid_in = _create(site_id, amount, PrepaidSource.BANK, idempotency_key, actor)
            PrepaidIn.objects.filter(id=paid_in.id).update(
                credited_at=clock.now(), reason=reason[:200]
            )
            moves = [(bank, prepaid_of(site_id), amount, Code.PREPAID_IN)]
            _post(site_id, moves, reference=(Reference.PREPAID, paid_in.id))
            record(
                "prepaid.booked",
                actor=actor,
                site_id=site_id,
                subject=("prepaid", paid_in.prepaid_no),
                detail={"amount": amount, "reason": reason[:200]},
            )
            _announce(site_id, amount)
    except IntegrityError:
        known: PrepaidIn = PrepaidIn.objects.get(idempotency_key=idempotency_key)
        if (known.amount, known.source) != (amount, PrepaidSource.BANK):
            raise errors.PrepaidKeyReused from None
        return known
    return paid_in


def adjust_prepaid(*, site_id: int, amount: int, reason: str, actor: Actor) -> None:
    """Add to (or with a negative amount take from) a prepaid balance, with a reason, audited.

    Raises `PrepaidReasonMissing`, `PrepaidShort`; for an addition `ShopClosed` once the site is
    closed, whose selling it shares. Publishes `PrepaidRaised` when it grew.
    """
    if not reason.strip() or amount == 0:
        raise errors.PrepaidReasonMissing
    balance = prepaid_of(site_id)
    other = account_id(AccountKind.ADJUSTMENTS, get_site_view(site_id).main_id)
    pair = (other, balance) if amount > 0 else (balance, other)
    with transaction.atomic():
        if amount > 0:
            require_books(site_id)
        moves = [(*pair, abs(amount), Code.PREPAID_ADJUSTED)]
        try:
            _post(site_id, moves, reference=(Reference.ADJUSTMENT, site_id))
        except WalletShort as fault:
            raise PrepaidShort from fault
        record(
            "prepaid.adjusted",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"amount": amount, "reason": reason[:200]},
        )
        if amount > 0:
            _announce(site_id, amount)


def set_credit_line(*, site_id: int, amount: int, reason: str, actor: Actor) -> None:
    """Set how far below zero a prepaid balance may fall, zero for not at all; audited.

    Raises `PrepaidReasonMissing`, `PrepaidAmountInvalid`, `PrepaidShort` when more is used already.
    """
    if not reason.strip():
        raise errors.PrepaidReasonMissing
    if not 0 <= amount <= PREPAID_MAX_AMOUNT:
        raise errors.PrepaidAmountInvalid(low="0", high=_yuan(PREPAID_MAX_AMOUNT))
    with transaction.atomic():
        set_credit(site_id=site_id, amount=amount)
        record(
            "prepaid.credit_changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"amount": amount, "reason": reason[:200]},
        )
        _announce(site_id, amount)


def _create(site_id: int, amount: int, source: PrepaidSource, key: str, actor: Actor) -> PrepaidIn:
    paid_in: PrepaidIn = PrepaidIn.objects.create(
        site_id=site_id,
        prepaid_no=new_number(clock.now()),
        amount=amount,
        source=source,
        asked_by=actor.name[:64],
        idempotency_key=key,
    )
    return paid_in


def _check_amount(amount: int) -> None:
    if not is_prepaid_amount(amount):
        low, high = _yuan(PREPAID_MIN_AMOUNT), _yuan(PREPAID_MAX_AMOUNT)
        raise errors.PrepaidAmountInvalid(low=low, high=high)


def _post(
    site_id: int, moves: list[tuple[int, int, int, Code]], *, reference: tuple[Reference, int]
) -> None:
    kind, reference_id = reference
    post_transfers(
        [
            Posting(
                site_id=site_id,
                debit=debit,
                credit=credit,
                amount=amount,
                code=code,
                reference_kind=kind,
                reference_id=reference_id,
            )
            for debit, credit, amount, code in moves
        ]
    )


def _announce(site_id: int, amount: int) -> None:
    publish(PrepaidRaised(site_id=site_id, subject_id=site_id, amount=amount))


def _yuan(amount: int) -> str:
    return format_yuan(Amount(amount))
