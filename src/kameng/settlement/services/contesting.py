"""What disputes do to a claim: held while they are open, taken back when they are lost.

Both decided under the payee's lock, so that a dispute and a withdrawal that come at one moment see
each other: either less is available, or the withdrawal goes to its reviewer with the reason.
"""

from kameng.core.audit import SYSTEM, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.orders.shares import Taking, margin_to_take, upline_of
from kameng.payments.selectors import sum_lost
from kameng.settlement.claims import Claim, find_terms, read_claim, site_owner
from kameng.settlement.models import Approval, Payee, Source, Withdrawal
from kameng.settlement.rules import State, risks_after_dispute
from kameng.settlement.services.payees import lock_payee, lock_site_payees
from kameng.tenancy.selectors import get_site_view, site_scope


def hold_disputed(*, order_id: int) -> None:
    """Tell the reviewers of a site's withdrawals that a dispute was opened; the claim holds it.

    Those of its upline too. Call in the transaction of the opening, in the scope of the site. Locks
    the payees, behind the payment, then withdrawals. Audited where an approval is taken back.
    """
    if not get_site_view(require_site_id()).is_main:
        _lock_and_look(upline_of(order_id))


def settle_disputed(*, payment_id: int, order_id: int) -> int:
    """Take back the margin of what a dispute has just cost, or let it go; return what was taken.

    Call in the transaction of the verdict, in the scope of the site. Locks as `hold_disputed`. The
    claim may fall below zero.
    """
    site_id = require_site_id()
    if get_site_view(site_id).is_main:
        return 0
    upline_id = upline_of(order_id)
    _lock_payees(site_id, upline_id)
    lost = sum_lost(payment_id)
    taken = margin_to_take(order_id, payment_id=payment_id, lost_amount=lost) if lost else Taking()
    legs = [(site_id, taken.margin_amount, Code.DISPUTE_MARGIN)]
    if upline_id is not None:
        legs.append((upline_id, taken.upline_amount, Code.DISPUTE_UPLINE))
    postings = [_posting(site_id, order_id, leg) for leg in legs if leg[1]]
    if postings:
        post_transfers(postings)
    _lock_and_look(upline_id)
    return taken.margin_amount


def _posting(site_id: int, order_id: int, leg: tuple[int, int, Code]) -> Posting:
    loser, amount, code = leg
    return Posting(
        site_id=site_id,
        debit=account_id(AccountKind.SITE_MARGIN, loser),
        credit=account_id(AccountKind.LOSSES, site_id),
        amount=amount,
        code=code,
        reference_kind=Reference.ORDER,
        reference_id=order_id,
    )


def _lock_payees(site_id: int, upline_id: int | None) -> None:
    """Lock the payee of a site and, for a child, that of its upline, ascending."""
    if upline_id is None:
        lock_payee(site_owner())
        return
    with platform_scope("a dispute of a child site touches its upline's claim"):
        lock_site_payees({site_id, upline_id})


def _lock_and_look(upline_id: int | None) -> None:
    _lock_payees(require_site_id(), upline_id)
    _look_again(lock_payee(site_owner()))
    if upline_id is not None:
        with site_scope(upline_id):
            _look_again(lock_payee(site_owner()))


def _look_again(payee: Payee) -> None:
    """Bring the warnings of withdrawals under review up to date; unsent ones go back to review.

    Those only that the claim no longer covers. First the ones under review: one that is approved
    meanwhile is met by the second pass.
    """
    terms = find_terms(get_site_view(payee.site_id))
    claim = read_claim(site_owner(), Source.MARGIN, terms=terms)
    rows = Withdrawal.objects.filter(payee_id=payee.id, source=Source.MARGIN).order_by("id")
    for row in rows.filter(state=State.REQUESTED):
        _warn(row, claim, state=State.REQUESTED)
    if not claim.is_short:
        return
    for row in rows.filter(state=State.APPROVED):
        if not _warn(row, claim, state=State.APPROVED):
            continue  # it was sent meanwhile
        Approval.objects.filter(withdrawal_id=row.id).delete()
        record(
            "settlement.withdrawal.reopened",
            actor=SYSTEM,
            site_id=row.site_id,
            subject=("withdrawal", row.withdrawal_no),
            detail={"amount": row.amount, "balance": claim.balance_amount},
        )


def _warn(row: Withdrawal, claim: Claim, *, state: State) -> bool:
    codes = risks_after_dispute(
        row.risk_codes, is_disputed=claim.disputed_amount > 0, is_short=claim.is_short
    )
    moved = Withdrawal.objects.filter(id=row.id, state=state).update(
        state=State.REQUESTED, decided_at=None, risk_codes=codes
    )
    return bool(moved)
