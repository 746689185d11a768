"""Receivers that were replaced or closed: their gateway forgets them, tried until it does.

A gateway knows receivers by account, for all sub-sites together: one that any of them still uses is
left. One that got a share lately is left too: it may have to come back from there.
"""

import datetime as dt

from django.db.models import Max

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.payments.providers.abilities import Receiver
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.holding import OpenGateway, open_gateways
from kameng.settlement.models import ReceiverState, Split, SplitReceiver
from kameng.settlement.rules import FORGET_AFTER_DAYS, FORGET_TRIES, SplitState
from kameng.settlement.services.receivers import KEPT, as_receiver
from kameng.settlement.store import claim_forgets

BATCH = 20
RETRY_HOURS = 6


def forget_due_receivers() -> int:
    """Have gateways forget the receivers that are due; return how many were looked at. Calls out.

    Outside any transaction.
    """
    with platform_scope("receivers that nobody uses any more"):
        rows = list(SplitReceiver.unscoped.filter(id__in=claim_forgets(BATCH)).order_by("id"))
        for row in rows:
            _forget(row)
    return len(rows)


def _forget(row: SplitReceiver) -> None:
    until = _needed_until(row)
    if until is not None:
        _note(row, forget_at=until, forget_count=0)
        return
    if _users_of(row):
        _note(row, forget_at=None)
        return
    gateway = open_gateways([row.gateway_id])[row.gateway_id]
    try:
        gateway.provider.remove_receiver(gateway.config, as_receiver(row))
    except (ProviderUncertain, ProviderRefused) as fault:
        _put_off(row, why=fault.code)
        return
    _note(row, forget_at=None, forgotten_at=clock.now(), reason="")
    # Somebody may have entered the same account between the look and the call. Their row stands
    # before they ask the gateway: seen here, it is made known again; not seen, they ask after us.
    for user in _users_of(row):
        _make_known(user, gateway)


def _needed_until(row: SplitReceiver) -> dt.datetime | None:
    """Return until when the gateway must know a receiver; None when nothing needs it."""
    splits = Split.unscoped.filter(receiver_id=row.id)
    if splits.filter(state=SplitState.ASKED).exists():
        return clock.now() + dt.timedelta(hours=RETRY_HOURS)
    last = splits.filter(state=SplitState.DONE).aggregate(at=Max("done_at"))["at"]
    until: dt.datetime | None = last + dt.timedelta(days=FORGET_AFTER_DAYS) if last else None
    return until if until is not None and until > clock.now() else None


def _users_of(row: SplitReceiver) -> list[SplitReceiver]:
    """Return the receivers in use, of any site, that are the same account at the same gateway."""
    account = _identity(as_receiver(row))
    kept = SplitReceiver.unscoped.filter(gateway_id=row.gateway_id, state__in=KEPT)
    same_hint = kept.filter(kind=row.kind, hint=row.hint).exclude(id=row.id)
    return [each for each in same_hint if _identity(as_receiver(each)) == account]


def _identity(receiver: Receiver) -> tuple[str, str]:
    return receiver.account_kind, receiver.account


def _make_known(user: SplitReceiver, gateway: OpenGateway) -> None:
    try:
        gateway.provider.add_receiver(gateway.config, as_receiver(user))
    except (ProviderUncertain, ProviderRefused):  # its site proves it again, on its page
        SplitReceiver.unscoped.filter(id=user.id, state=ReceiverState.ACTIVE).update(
            state=ReceiverState.ENTERED
        )


def _put_off(row: SplitReceiver, *, why: str) -> None:
    again = clock.now() + dt.timedelta(hours=RETRY_HOURS)
    is_last = row.forget_count >= FORGET_TRIES
    _note(row, forget_at=None if is_last else again, reason=why[:200])


def _note(row: SplitReceiver, **changes: object) -> None:
    SplitReceiver.unscoped.filter(id=row.id, state=ReceiverState.REMOVED).update(**changes)
