"""The last of a claim when a site closes: settled outside the system, on the main site's word."""

from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.selectors import site_account_amount
from kameng.ledger.services import Posting, post_transfers
from kameng.settlement import errors
from kameng.settlement.claims import Owner
from kameng.settlement.models import OwnerKind
from kameng.settlement.services.payees import lock_payee
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import get_site_view


def settle_claim_by_hand(*, shown_amount: int, reason: str, actor: Actor) -> None:
    """Bring the claim of the site in force to zero: what was owed either way was paid outside.

    Only while the site winds down or afterwards, and only what was shown (1/10000 yuan; below zero
    its operator owed it). Locks the payee. Audited. Raises `ReasonMissing`, `SiteStays`,
    `ClaimMoved`.
    """
    site_id = require_site_id()
    view = get_site_view(site_id)
    if not reason.strip():
        raise errors.ReasonMissing
    if view.state not in {SiteState.CLOSING, SiteState.CLOSED}:
        raise errors.SiteStays
    claim = account_id(AccountKind.SITE_MARGIN, site_id)
    other = account_id(AccountKind.ADJUSTMENTS, view.main_id)
    with transaction.atomic():
        lock_payee(Owner(kind=OwnerKind.SITE, owner_id=site_id))
        left = site_account_amount(AccountKind.SITE_MARGIN, owner_id=site_id)
        if left == 0 or left != shown_amount:
            raise errors.ClaimMoved
        debit, credit = (claim, other) if left > 0 else (other, claim)
        posting = Posting(
            site_id=site_id,
            debit=debit,
            credit=credit,
            amount=abs(left),
            code=Code.CLAIM_SETTLED,
            reference_kind=Reference.ADJUSTMENT,
            reference_id=site_id,
        )
        post_transfers([posting])
        record(
            "settlement.claim.settled",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"amount": left, "reason": reason[:200]},
        )
