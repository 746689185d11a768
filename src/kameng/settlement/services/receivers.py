"""Receivers of shares: entered under a confirmed session, proved by the gateway, cooling off.

reserve → call → finish: the row stands before the gateway is asked, outside any transaction.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.core.scope import require_site_id
from kameng.payments.providers.abilities import Receiver, Splitter
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.holding import OpenGateway, list_open_gateways, open_gateways
from kameng.settlement import errors
from kameng.settlement.claims import find_terms
from kameng.settlement.models import ReceiverState, SplitReceiver
from kameng.settlement.sealing import RECEIVER, open_receiver, seal
from kameng.tenancy.selectors import get_site_view

KEPT = (ReceiverState.ENTERED, ReceiverState.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverWish:
    """A receiver as it was typed; `repr` shows nothing of it."""

    gateway_id: int
    kind: str
    account: str
    name: str

    def __repr__(self) -> str:
        return f"ReceiverWish(gateway_id={self.gateway_id}, kind={self.kind})"


def list_splitters() -> list[OpenGateway]:
    """Return the gateways of the main site of the site in force that can split, switched on."""
    main_id = get_site_view(require_site_id()).main_id
    return [each for each in list_open_gateways(main_id) if isinstance(each.provider, Splitter)]


def add_split_receiver(*, wish: ReceiverWish, actor: Actor) -> SplitReceiver:
    """Enter who gets the shares of the site in force at a gateway, and have it proved. Calls out.

    Takes the place of the one before; usable after the cooling-off time. The caller has the session
    confirmed. Raises `SplitUnsupported`, `ReceiverInvalid`, `ReceiverRefused`, `ReceiverUncertain`.
    """
    gateway = next((g for g in list_splitters() if g.gateway_id == wish.gateway_id), None)
    if gateway is None:
        raise errors.SplitUnsupported
    account, name = wish.account.strip(), wish.name.strip()
    if wish.kind not in {code for code, _label in gateway.provider.receiver_kinds}:
        raise errors.ReceiverInvalid(why=_("请选择接收方类型。"))
    if not 4 <= len(account) <= 100 or any(sign.isspace() for sign in account):
        raise errors.ReceiverInvalid(why=_("账号应为 4 到 100 位，不含空格。"))
    made = _enter(wish, account, name, actor)
    return prove_receiver(receiver_id=made.id, actor=actor)


def _enter(wish: ReceiverWish, account: str, name: str, actor: Actor) -> SplitReceiver:
    site_id = require_site_id()
    terms = find_terms(get_site_view(site_id))
    number = new_number(clock.now())
    sealed = seal(RECEIVER, site_id=site_id, number=number, account=account, name=name)
    try:
        with transaction.atomic():
            SplitReceiver.objects.filter(gateway_id=wish.gateway_id, state__in=KEPT).update(
                state=ReceiverState.REMOVED, forget_at=clock.now()
            )
            made: SplitReceiver = SplitReceiver.objects.create(
                site_id=site_id,
                receiver_no=number,
                gateway_id=wish.gateway_id,
                kind=wish.kind,
                account_cipher=sealed.account_cipher,
                name_cipher=sealed.name_cipher,
                hint=sealed.hint,
                added_by=actor.name[:64],
                usable_at=clock.now() + dt.timedelta(hours=terms.cooling_hours),
            )
            record(
                "settlement.receiver.added",
                actor=actor,
                site_id=site_id,
                subject=("split_receiver", made.id),
                detail={"gateway": wish.gateway_id, "kind": wish.kind, "account": sealed.hint},
            )
    except IntegrityError as fault:  # two at once: the other one stands
        raise errors.ReceiverInvalid(why=_("有人刚刚改过，请刷新后重试。")) from fault
    return made


def prove_receiver(*, receiver_id: int, actor: Actor) -> SplitReceiver:
    """Make a receiver of the site in force known to its gateway; again is no harm. Calls out.

    Raises `ReceiverInvalid`, `ReceiverRefused`, `ReceiverUncertain`. Audited.
    """
    row: SplitReceiver | None = SplitReceiver.objects.filter(id=receiver_id, state__in=KEPT).first()
    if row is None:
        raise errors.ReceiverInvalid(why=_("它已被移除，请重新填写。"))
    gateway = open_gateways([row.gateway_id])[row.gateway_id]
    try:
        gateway.provider.add_receiver(gateway.config, as_receiver(row))
    except ProviderUncertain as fault:
        raise errors.ReceiverUncertain from fault
    except ProviderRefused as fault:
        why = fault.message or fault.code
        _move(row, ReceiverState.REFUSED, reason=why, actor=actor)
        raise errors.ReceiverRefused(why=why) from fault
    _move(row, ReceiverState.ACTIVE, reason="", actor=actor)
    row.refresh_from_db()
    return row


def _move(row: SplitReceiver, state: ReceiverState, *, reason: str, actor: Actor) -> None:
    with transaction.atomic():
        moved = SplitReceiver.objects.filter(id=row.id, state__in=KEPT).update(
            state=state, reason=reason[:200]
        )
        if moved:
            record(
                "settlement.receiver.proved",
                actor=actor,
                site_id=row.site_id,
                subject=("split_receiver", row.id),
                detail={"state": int(state), "reason": reason[:200]},
            )


def close_split_receiver(*, receiver_id: int, actor: Actor) -> SplitReceiver:
    """Take a receiver of the site in force away; shares that are asked for still arrive.

    Without another one shares wait, and stay a claim in the end. Its gateway forgets it later
    (`forgetting`). Raises `ReceiverInvalid`. Audited.
    """
    with transaction.atomic():
        closed = SplitReceiver.objects.filter(id=receiver_id, state__in=KEPT).update(
            state=ReceiverState.REMOVED, forget_at=clock.now()
        )
        if not closed:
            raise errors.ReceiverInvalid(why=_("它已被移除，请刷新页面。"))
        row: SplitReceiver = SplitReceiver.objects.get(id=receiver_id)
        record(
            "settlement.receiver.removed",
            actor=actor,
            site_id=row.site_id,
            subject=("split_receiver", row.id),
            detail={"gateway": row.gateway_id, "account": row.hint},
        )
    return row


def as_receiver(row: SplitReceiver) -> Receiver:
    """Return a receiver as its gateway knows it, in clear: for a call only."""
    account, name = open_receiver(row)
    return Receiver(account_kind=row.kind, account=account, name=name)
