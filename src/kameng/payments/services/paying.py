"""Opening payments and telling the buyer where to pay; gateways are called outside transactions.

What a gateway answered is kept encrypted: it holds the address to come back to, and that opens the
order.
"""

import base64
import dataclasses
import datetime as dt
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction

from kameng.accounts.services.marking import lock_customer
from kameng.core import clock
from kameng.core.crypto import binding, decrypt_text, encrypt_text
from kameng.core.database import in_transaction
from kameng.core.errors import Refusal
from kameng.core.ids import new_number
from kameng.core.scope import require_site_id
from kameng.payments import errors, store
from kameng.payments.choosing import PayChoice, is_offered, method_of, remember_full, suits
from kameng.payments.models import Gateway, Payment, PaymentState, Purpose, TopUp
from kameng.payments.providers.abilities import at_moment
from kameng.payments.providers.port import (
    Device,
    PaidStatus,
    PayInstruction,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.payments.rules import (
    SLOW_FAULTS,
    BeginOutcome,
    cap_day,
    is_resting,
    is_top_up_amount,
)
from kameng.payments.services.bonuses import promise_bonus
from kameng.payments.services.crediting import reserve_room
from kameng.payments.services.gateways import config_of, provider_of
from kameng.payments.services.holding import flag_for_split
from kameng.payments.services.resting import note_answer, note_fault
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.closing import require_selling

TOP_UP_SECONDS = 1800
OPENING_LIMIT = 30  # attempts for one thing in all, those that no gateway took up among them
CALLS_AT_ONCE = 5
CALL_WAIT_SECONDS = 2
SEALED = "sealed"
_calls = threading.BoundedSemaphore(CALLS_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Where the buyer stands: address, device, and the addresses to come back to."""

    client_ip: str
    device: Device
    notify_url: str  # without the gateway's id: "{scheme}://{host}/notify/"
    return_url: str
    # Gateway to its own id of the buyer, where it was asked for: no other gateway is told it.
    payer_ids: Mapping[int, str] = field(default_factory=dict)


def open_payment(
    *, purpose: Purpose, paid_for: int, amount: int, choice: PayChoice, expires_at: dt.datetime
) -> Payment:
    """Open one more attempt to pay something of the site in force. The caller holds its lock.

    `amount` is what it costs; an order's buyer who bears the gateway's fee pays that on top.
    """
    terms = choice.terms_for(amount) if purpose == Purpose.ORDER else None
    payment: Payment = Payment.objects.create(
        site_id=require_site_id(),
        payment_no=new_number(clock.now()),
        purpose=purpose,
        subject_id=paid_for,
        gateway_id=choice.gateway_id,
        amount=terms.amount if terms else amount,
        fee_amount=terms.fee_amount if terms else choice.fee_for(amount),
        surcharge_amount=terms.surcharge_amount if terms else 0,
        expires_at=expires_at,
        next_query_at=clock.now() + dt.timedelta(seconds=30),
    )
    return payment


def instruct_buyer(*, payment: Payment, subject: str, payer: Payer) -> PayInstruction:
    """Return where the buyer pays: asked of the gateway once, then the first answer again.

    Calls out: never inside a transaction. Raises `PaymentClosed`, `WrongDevice` and `PayerUnknown`;
    `GatewayAway` when nobody knows whether the gateway took it up; `AccountUnable` when nothing can
    be paid there, and then the attempt is closed: another account may be tried.
    """
    if in_transaction_of_request():
        raise RuntimeError("a gateway must not be called inside a transaction")
    if payment.state != PaymentState.OPEN:
        raise errors.PaymentClosed
    if payment.instruction is not None:
        return open_instruction(payment)
    gateway = Gateway.objects.filter(id=payment.gateway_id).first()
    if gateway is None or not is_offered(gateway):
        raise errors.GatewayNotUsable
    _check_where(gateway, payer)
    if is_resting(gateway.rests_until, now=clock.now()):
        raise _leave(payment, gateway)
    _claim(payment)
    will_split = flag_for_split(payment, gateway=gateway)
    request = PayRequest(
        payment_no=payment.payment_no,
        amount=Amount(payment.amount),
        subject=subject,
        notify_url=f"{payer.notify_url}{gateway.id}/",
        return_url=payer.return_url,
        client_ip=payer.client_ip,
        device=payer.device,
        expires_at=payment.expires_at,
        method=gateway.method,
        payer_id=payer.payer_ids.get(gateway.id, ""),
        opened_at=payment.created_at,
        will_split=will_split,
    )
    instruction = _open_there(payment, gateway, request)
    stored = seal_instruction(instruction, payment=payment)
    Payment.objects.filter(id=payment.id, instruction__isnull=True).update(instruction=stored)
    return instruction


def _check_where(gateway: Gateway, payer: Payer) -> None:
    method = method_of(gateway)
    if method is None or not suits(gateway, device=payer.device):
        raise errors.WrongDevice
    if method.needs_payer_id and not payer.payer_ids.get(gateway.id):
        raise errors.PayerUnknown


def _claim(payment: Payment) -> None:
    """Claim the payment's part of the gateway's daily cap. Raises `AccountUnable`."""
    outcome = store.begin(payment.id, day=cap_day(clock.now()))
    if outcome == BeginOutcome.NOT_OPEN:
        raise errors.PaymentClosed
    if outcome == BeginOutcome.CAP_FULL:
        remember_full(payment.gateway_id, amount=payment.amount)
        store.drop(payment.id, asks=False)
        raise errors.AccountUnable


def _leave(payment: Payment, gateway: Gateway) -> Refusal:
    """Give up an attempt at a resting gateway; one that it may know of waits for the worker."""
    if payment.asked_at is None:
        store.drop(payment.id, asks=False)
        return errors.AccountUnable()
    let_go(payment)
    return errors.GatewayAway()


def let_go(payment: Payment) -> None:
    """Have the worker ask about, and close, an attempt that never told the buyer where to pay."""
    rows = Payment.objects.filter(
        id=payment.id, state=PaymentState.OPEN, instruction__isnull=True, asked_at__isnull=False
    )
    rows.update(next_query_at=clock.now(), expires_at=clock.now())


def _open_there(payment: Payment, gateway: Gateway, request: PayRequest) -> PayInstruction:
    """Ask the gateway; note how it does. An uncertain opening is cleared up before it is left."""
    try:
        instruction = _create(gateway, request)
    except ProviderRefused as fault:
        # What one buyer's own id is refused for says nothing about the account.
        if not request.payer_id:
            note_fault(gateway, code=fault.code)
        store.drop(payment.id, asks=False)
        raise errors.AccountUnable from fault
    except ProviderUncertain as fault:
        note_fault(gateway, code=fault.code)
        if fault.code not in SLOW_FAULTS and _is_unknown_there(payment, gateway):
            store.drop(payment.id, asks=True)
            raise errors.AccountUnable from fault
        raise errors.GatewayAway from fault
    note_answer(gateway, opened=True)
    return instruction


def _is_unknown_there(payment: Payment, gateway: Gateway) -> bool:
    """Ask a gateway whose answer was lost, and close there what it knows; False: nobody can tell.

    Without this another account could be paid beside it.
    """
    provider, config = at_moment(provider_of(gateway), payment.created_at), config_of(gateway)
    gone = {PaidStatus.NOT_FOUND, PaidStatus.CLOSED}
    try:
        if provider.query(config, payment.payment_no).status in gone:
            return True
        return provider.close(config, payment.payment_no) in gone
    except (ProviderUncertain, ProviderRefused):
        return False


def seal_instruction(instruction: PayInstruction, *, payment: Payment) -> dict[str, str]:
    """Return what is stored of an instruction: its cipher, bound to the payment, as base64."""
    values = {**dataclasses.asdict(instruction), "fields": dict(instruction.fields)}
    sealed = encrypt_text(json.dumps(values), _binding(payment))
    return {SEALED: base64.b64encode(sealed).decode()}


def open_instruction(payment: Payment) -> PayInstruction:
    """Return the instruction that a payment keeps."""
    values = json.loads(decrypt_text(_sealed(payment), _binding(payment)))
    return PayInstruction(**{**values, "leads_to": tuple(values.get("leads_to", ()))})


def sealing_key(payment: Payment) -> int:
    """Return the version of the key under which a payment keeps its instruction."""
    return _sealed(payment)[0]


def _sealed(payment: Payment) -> bytes:
    kept: dict[str, str] = payment.instruction or {}
    return base64.b64decode(kept[SEALED])


def _binding(payment: Payment) -> bytes:
    return binding(payment.site_id, "payment_instruction", payment.payment_no)


def _create(gateway: Gateway, request: PayRequest) -> PayInstruction:
    """Ask the gateway, at most a few threads of this process at a time.

    A gateway that hangs must not take every thread with it: the rest of the shop goes on selling.
    """
    if not _calls.acquire(timeout=CALL_WAIT_SECONDS):
        raise ProviderUncertain("busy")
    try:
        return provider_of(gateway).create(config_of(gateway), request)
    finally:
        _calls.release()


def in_transaction_of_request() -> bool:
    """Tell whether a transaction is open; tests that wrap each case in one replace this."""
    return in_transaction()


def start_top_up(
    *, customer_id: int, amount: int, choice: PayChoice, idempotency_key: str
) -> tuple[TopUp, Payment]:
    """Open a wallet top-up with its payment; the same key and content give the first one again.

    The bonus that counts now is promised with it. Shares the selling of the site, then locks the
    customer. Raises `TopUpAmountInvalid`, `WalletFull`, `TopUpKeyReused`, and as `require_selling`.
    """
    if not is_top_up_amount(amount):
        raise errors.TopUpAmountInvalid(low=_yuan(10_000), high=_yuan(50_000_000))
    with transaction.atomic():
        require_selling(require_site_id())
        lock_customer(customer_id)
        known = _find_top_up(customer_id, idempotency_key)
        if known is not None:
            # Another account of the same way is the same wish.
            same = {choice.gateway_id, choice.way_key}
            if known[0].amount != amount or not _is_of_way(known[1], same):
                raise errors.TopUpKeyReused
            return known
        tier, bonus = promise_bonus(customer_id, amount=amount)
        reserve_room(customer_id, amount=amount + bonus)
        top_up = TopUp.objects.create(
            site_id=require_site_id(),
            top_up_no=new_number(clock.now()),
            customer_id=customer_id,
            amount=amount,
            bonus_rule_id=tier.rule_id if tier else None,
            bonus_amount=bonus,
            idempotency_key=idempotency_key,
        )
        payment = open_payment(
            purpose=Purpose.TOP_UP,
            paid_for=top_up.id,
            amount=amount,
            choice=choice,
            expires_at=clock.now() + dt.timedelta(seconds=TOP_UP_SECONDS),
        )
    return top_up, payment


def _find_top_up(customer_id: int, idempotency_key: str) -> tuple[TopUp, Payment] | None:
    top_up = TopUp.objects.filter(customer_id=customer_id, idempotency_key=idempotency_key).first()
    if top_up is None:
        return None
    first: Payment = Payment.objects.filter(purpose=Purpose.TOP_UP, subject_id=top_up.id).earliest(
        "id"
    )
    return top_up, first


def _is_of_way(payment: Payment, ids: set[int]) -> bool:
    if payment.gateway_id in ids:
        return True
    gateway = Gateway.objects.filter(id=payment.gateway_id).first()
    return gateway is not None and gateway.way_key in ids


def reopen_top_up(*, top_up_id: int, choice: PayChoice) -> Payment:
    """Open another attempt of a top-up at another account; an open one there is kept.

    Raises `PaymentClosed` when it is paid, goes back or nobody waits for it any more; `WalletFull`
    when the wallet was promised to others meanwhile; as `require_selling`. Shares the selling of
    the site, then locks the customer, then the top-up.
    """
    customer_id = TopUp.objects.values_list("customer_id", flat=True).get(id=top_up_id)
    with transaction.atomic():
        require_selling(require_site_id())
        lock_customer(customer_id)
        top_up = lock_top_up(top_up_id)
        attempts = Payment.objects.filter(purpose=Purpose.TOP_UP, subject_id=top_up_id)
        open_ones = attempts.filter(gateway_id=choice.gateway_id, state=PaymentState.OPEN)
        known: Payment | None = open_ones.first()
        if known is not None:
            return known
        until = top_up.created_at + dt.timedelta(seconds=TOP_UP_SECONDS)
        is_settled = top_up.credited_at is not None or top_up.over_cap_at is not None
        if is_settled or until <= clock.now():
            raise errors.PaymentClosed
        if attempts.count() >= OPENING_LIMIT:
            raise errors.GatewayNotUsable
        reserve_room(customer_id, amount=top_up.amount + top_up.bonus_amount, but=top_up_id)
        return open_payment(
            purpose=Purpose.TOP_UP,
            paid_for=top_up_id,
            amount=top_up.amount,
            choice=choice,
            expires_at=until,
        )


def lock_top_up(top_up_id: int) -> TopUp:
    """Lock a top-up of the site in force; whoever opens another attempt for it takes this lock."""
    top_up: TopUp = TopUp.objects.select_for_update(no_key=True).get(id=top_up_id)
    return top_up


def _yuan(amount: int) -> str:
    return format_yuan(Amount(amount))
