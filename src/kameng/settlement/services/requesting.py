"""Asking for a payout, and taking it back: decided under the payee's lock, held in the ledger."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_number
from kameng.core.scope import platform_scope, require_site_id
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.errors import WalletShort
from kameng.ledger.services import Posting, post_transfers
from kameng.orders.shares import disputed_margin, sum_sold
from kameng.pricing.money import Amount, format_yuan
from kameng.settlement import errors
from kameng.settlement.claims import Owner, day_and_month, find_terms, read_claim
from kameng.settlement.events import WithdrawalReleased
from kameng.settlement.models import OwnerKind, Payee, PayoutAccount, Source, Terms, Withdrawal
from kameng.settlement.models import WithdrawalState as Label
from kameng.settlement.rules import (
    COUNTED_STATES,
    FEN,
    Circumstances,
    State,
    approvals_needed,
    find_limit_fault,
    find_risks,
    quote_withdrawal,
)
from kameng.settlement.services.payees import lock_payee
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import SiteView, get_site_view

LOOK_BACK_DAYS = 90
SALES_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalWish:
    """How much of which claim goes to which account; a key counts once."""

    source: Source
    amount: int
    account_id: int
    idempotency_key: str


def request_withdrawal(*, owner: Owner, wish: WithdrawalWish, actor: Actor) -> Withdrawal:
    """Ask that a part of a claim of the site in force be paid out; the same key asks once.

    Locks the payee, then the prepaid balance. Moves claim → WITHDRAWALS in the same transaction.
    Raises `NotForMainSite`, `KeyReused`, `AccountNotFound`, `AccountCooling`, `LimitBroken`,
    `ClaimShort`.
    """
    view = get_site_view(require_site_id())
    if view.is_main and owner.kind == OwnerKind.SITE:
        raise errors.NotForMainSite
    with transaction.atomic():
        payee = lock_payee(owner)
        known: Withdrawal | None = Withdrawal.objects.filter(
            payee_id=payee.id, idempotency_key=wish.idempotency_key
        ).first()
        if known is not None:
            if (known.amount, known.account_id, known.source) != (
                wish.amount,
                wish.account_id,
                wish.source,
            ):
                raise errors.KeyReused
            return known
        terms = find_terms(view)
        account = _find_account(payee, wish.account_id)
        _check_limits(payee, wish.amount, view, terms)
        _check_claim(owner, wish, terms)
        return _hold(payee, account, wish, terms=terms, actor=actor)


def _find_account(payee: Payee, account_id: int) -> PayoutAccount:
    account: PayoutAccount | None = PayoutAccount.objects.filter(
        id=account_id, payee_id=payee.id, removed_at__isnull=True
    ).first()
    if account is None:
        raise errors.AccountNotFound
    if account.usable_at > clock.now():
        when = date_format(timezone.localtime(account.usable_at), "m-d H:i")
        raise errors.AccountCooling(when=when)
    return account


def _check_limits(payee: Payee, amount: int, view: SiteView, terms: Terms) -> None:
    day, month = day_and_month(view)
    rows = Withdrawal.objects.filter(payee_id=payee.id, state__in=COUNTED_STATES)
    is_last = view.state == SiteState.CLOSING  # what is left is paid out, however little
    fault = find_limit_fault(
        amount,
        terms=terms,
        day_amount=rows.filter(created_at__gte=day).aggregate(s=Sum("amount"))["s"] or 0,
        month_amount=rows.filter(created_at__gte=month).aggregate(s=Sum("amount"))["s"] or 0,
    )
    if fault is not None and not (is_last and fault == "below_minimum" and amount % FEN == 0):
        raise errors.LimitBroken(why=_limit_words(fault, terms))
    if quote_withdrawal(amount, terms=terms).payout_amount <= 0:
        raise errors.LimitBroken(why=_("这个金额还不够付手续费。"))


def _limit_words(fault: str, terms: Terms) -> str:
    words = {
        "below_minimum": (_("单笔最低 ¥%(amount)s，最多两位小数。"), terms.minimum_amount),
        "above_maximum": (_("单笔最高 ¥%(amount)s，请分几次。"), terms.maximum_amount),
        "day_limit": (_("每天最多提现 ¥%(amount)s，请明天再来。"), terms.day_limit_amount),
        "month_limit": (_("每月最多提现 ¥%(amount)s，请下月再来。"), terms.month_limit_amount),
    }
    text, amount = words[fault]
    return text % {"amount": format_yuan(Amount(amount))}


def _check_claim(owner: Owner, wish: WithdrawalWish, terms: Terms) -> None:
    available = read_claim(owner, wish.source, terms=terms).available_amount
    if wish.amount > available:
        raise errors.ClaimShort(available=format_yuan(Amount(available)))


def _hold(
    payee: Payee,
    account: PayoutAccount,
    wish: WithdrawalWish,
    *,
    terms: Terms,
    actor: Actor,
) -> Withdrawal:
    quote = quote_withdrawal(wish.amount, terms=terms)
    made: Withdrawal = Withdrawal.objects.create(
        site_id=payee.site_id,
        payee_id=payee.id,
        account_id=account.id,
        withdrawal_no=new_number(clock.now()),
        payout_no=new_number(clock.now()),
        source=wish.source,
        amount=wish.amount,
        fee_amount=quote.fee_amount,
        tax_amount=quote.tax_amount,
        payout_amount=quote.payout_amount,
        tax_bps=terms.tax_bps,
        approvals_needed=approvals_needed(wish.amount, terms=terms),
        risk_codes=find_risks(_circumstances(payee, account, wish.amount), terms=terms),
        asked_by_id=actor.actor_id,
        asked_by=actor.name[:64],
        idempotency_key=wish.idempotency_key[:64],
    )
    try:
        source = owner_of(payee).account(wish.source)
        post_transfers([move(made, debit=source, credit=held_account(made))])
    except WalletShort as fault:
        raise errors.ClaimShort(available=format_yuan(Amount(0))) from fault
    record(
        "settlement.withdrawal.requested",
        actor=actor,
        site_id=made.site_id,
        subject=("withdrawal", made.withdrawal_no),
        detail={"amount": made.amount, "account": account.hint, "risks": made.risk_codes},
    )
    return made


def _circumstances(payee: Payee, account: PayoutAccount, amount: int) -> Circumstances:
    now = clock.now()
    paid = Withdrawal.objects.filter(payee_id=payee.id, state=State.PAID)
    lately = paid.filter(ended_at__gte=now - dt.timedelta(days=LOOK_BACK_DAYS))
    sold, refunded = sum_sold(since=now - dt.timedelta(days=SALES_DAYS))
    return Circumstances(
        amount=amount,
        account_age=now - account.created_at,
        paid_to_account_count=paid.filter(account_id=account.id).count(),
        largest_paid_amount=lately.aggregate(m=Max("amount"))["m"] or 0,
        sold_amount=sold,
        refunded_amount=refunded,
        is_account_shared=_is_shared(account),
        came_back=Withdrawal.objects.filter(
            payee_id=payee.id, account_id=account.id, state=State.RETURNED
        ).exists(),
        is_disputed=payee.owner_kind == OwnerKind.SITE and disputed_margin() > 0,
    )


def _is_shared(account: PayoutAccount) -> bool:
    with platform_scope("does another payee use this account"):
        rows = PayoutAccount.unscoped.filter(digest=account.digest)
        return bool(rows.exclude(payee_id=account.payee_id).exists())


def owner_of(payee: Payee) -> Owner:
    """Return whose claims a payee stands for."""
    return Owner(kind=OwnerKind(payee.owner_kind), owner_id=payee.owner_id)


def held_account(withdrawal: Withdrawal) -> int:
    """Return the account where the money of a withdrawal lies until it is paid."""
    return account_id(AccountKind.WITHDRAWALS, withdrawal.site_id)


def move(
    withdrawal: Withdrawal,
    *,
    debit: int,
    credit: int,
    amount: int | None = None,
    code: Code = Code.WITHDRAWAL_HELD,
) -> Posting:
    """Return a posting of a withdrawal, of its whole amount unless another is given."""
    return Posting(
        site_id=withdrawal.site_id,
        debit=debit,
        credit=credit,
        amount=withdrawal.amount if amount is None else amount,
        code=code,
        reference_kind=Reference.WITHDRAWAL,
        reference_id=withdrawal.id,
    )


def release(
    withdrawal: Withdrawal, *, state: State, sources: frozenset[State], reason: str
) -> bool:
    """Move a withdrawal to an end without payout and give the money back, once, if it is there.

    Call inside a transaction. Publishes `WithdrawalReleased`. False when someone else moved it.
    """
    now = clock.now()
    moved = Withdrawal.objects.filter(id=withdrawal.id, state__in=sources).update(
        state=state,
        reason=reason[:200],
        ended_at=now,
        next_attempt_at=None,
        confirm_cipher=None,
    )
    if not moved:
        return False
    payee = Payee.objects.get(id=withdrawal.payee_id)
    back = owner_of(payee).account(withdrawal.source)
    post_transfers(
        [
            move(
                withdrawal,
                debit=held_account(withdrawal),
                credit=back,
                code=Code.WITHDRAWAL_RELEASED,
            )
        ]
    )
    publish(
        WithdrawalReleased(
            site_id=withdrawal.site_id,
            subject_id=withdrawal.id,
            amount=withdrawal.amount,
            state=state,
        )
    )
    return True


def take_back_withdrawal(*, owner: Owner, withdrawal_no: str, actor: Actor) -> Withdrawal:
    """Take back a request that nobody has decided yet. Raises `NotAllowedNow`."""
    with transaction.atomic():
        found: Withdrawal | None = Withdrawal.objects.filter(
            withdrawal_no=withdrawal_no,
            payee__owner_kind=owner.kind,
            payee__owner_id=owner.owner_id,
        ).first()
        if found is None:
            raise errors.WithdrawalNotFound
        taken = release(
            found, state=State.TAKEN_BACK, sources=frozenset({State.REQUESTED}), reason=""
        )
        if not taken:
            found.refresh_from_db()
            raise errors.NotAllowedNow(state=Label(found.state).label)
        record(
            "settlement.withdrawal.taken_back",
            actor=actor,
            site_id=found.site_id,
            subject=("withdrawal", found.withdrawal_no),
            detail={"amount": found.amount},
        )
    found.refresh_from_db()
    return found
