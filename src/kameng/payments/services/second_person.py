"""Which acts on money need a second person: those above the threshold of their site."""

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish, ask_approval
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.payments.rules import needs_second_person
from kameng.tenancy.selectors import get_site_view

CONFIRM = "payment.confirm"
ADJUST = "wallet.adjust"
RETURN_BY_HAND = "payment.return_by_hand"
TOP_UP_BY_HAND = "top_up.return_by_hand"
WAIVE = "payment.waive"
WRITE_OFF = "dispute.write_off"
SURPLUS_BY_HAND = "payment.surplus_by_hand"
PAYMENT_ACTS = (CONFIRM, RETURN_BY_HAND, WAIVE, SURPLUS_BY_HAND)  # about one payment


def ask_above_threshold(wish: ApprovalWish, *, actor: Actor) -> Approval | None:
    """Let a wish wait for a second person when its amount is above the site's threshold.

    None: one person may do it, and the caller does. Raises as `ask_approval`.
    """
    threshold = get_site_view(require_site_id()).settings.two_person_amount
    if not needs_second_person(wish.amount, threshold_amount=threshold):
        return None
    return ask_approval(wish, actor=actor)
