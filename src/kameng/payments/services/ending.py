"""The end of a wish that a buyer pays the rest of a short payment, whoever ends it."""

from kameng.core import clock
from kameng.payments import store
from kameng.payments.models import Shortfall, ShortfallState


def end_shortfall(payment_id: int, *, state: ShortfallState = ShortfallState.ENDED) -> bool:
    """End the open wish about a short payment, once; true when this ended it.

    Call with the payment locked. Attempts to pay the rest are closed at their gateways soon.
    """
    moved = Shortfall.objects.filter(payment_id=payment_id, state=ShortfallState.OPEN).update(
        state=state, closed_at=clock.now()
    )
    if moved:
        store.give_up_rest(payment_id)
    return bool(moved)
