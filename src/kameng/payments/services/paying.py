"""Opening payments and telling the buyer where to pay; gateways are called outside transactions.

What a gateway answered is kept encrypted: it holds the address to come back to, and that opens the
order.
"""

import base64
import dataclasses
import datetime as dt
import json
import threading
from dataclasses import dataclass

from django.db import transaction

from kameng.accounts.services.marking import lock_customer
from kameng.core import clock
from kameng.core.crypto import binding, decrypt_text, encrypt_text
from kameng.core.database import in_transaction
from kameng.core.ids import new_number
from kameng.core.scope import require_site_id
from kameng.payments import errors
from kameng.payments.models import Gateway, Payment, PaymentState, Purpose, TopUp
from kameng.payments.providers.port import (
    Device,
    PayInstruction,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.payments.rules import is_top_up_amount
from kameng.payments.selectors import PayChoice
from kameng.payments.services.bonuses import promise_bonus
from kameng.payments.services.crediting import reserve_room
from kameng.payments.services.gateways import config_of, provider_of
from kameng.pricing.money import Amount, format_yuan

TOP_UP_SECONDS = 1800
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


def open_payment(
    *, purpose: Purpose, paid_for: int, amount: int, choice: PayChoice, expires_at: dt.datetime
) -> Payment:
    """Open one more attempt to pay something of the site in force. The caller holds its lock."""
    payment: Payment = Payment.objects.create(
        site_id=require_site_id(),
        payment_no=new_number(clock.now()),
        purpose=purpose,
        subject_id=paid_for,
        gateway_id=choice.gateway_id,
        amount=amount,
        fee_amount=choice.fee_for(amount),
        expires_at=expires_at,
        next_query_at=clock.now() + dt.timedelta(seconds=30),
    )
    return payment


def instruct_buyer(*, payment: Payment, subject: str, payer: Payer) -> PayInstruction:
    """Return where the buyer pays: asked of the gateway once, then the first answer again.

    Calls out: never inside a transaction. Raises `GatewayAway`, `GatewayNotUsable` and
    `PaymentClosed`.
    """
    if in_transaction_of_request():
        raise RuntimeError("a gateway must not be called inside a transaction")
    if payment.state != PaymentState.OPEN:
        raise errors.PaymentClosed
    if payment.instruction is not None:
        return open_instruction(payment)
    gateway = Gateway.objects.filter(
        id=payment.gateway_id, is_enabled=True, is_frozen=False
    ).first()
    if gateway is None:
        raise errors.GatewayNotUsable
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
    )
    instruction = _create(gateway, request)
    stored = seal_instruction(instruction, payment=payment)
    Payment.objects.filter(id=payment.id, instruction__isnull=True).update(instruction=stored)
    return instruction


def seal_instruction(instruction: PayInstruction, *, payment: Payment) -> dict[str, str]:
    """Return what is stored of an instruction: its cipher, bound to the payment, as base64."""
    values = {**dataclasses.asdict(instruction), "fields": dict(instruction.fields)}
    sealed = encrypt_text(json.dumps(values), _binding(payment))
    return {SEALED: base64.b64encode(sealed).decode()}


def open_instruction(payment: Payment) -> PayInstruction:
    """Return the instruction that a payment keeps."""
    return PayInstruction(**json.loads(decrypt_text(_sealed(payment), _binding(payment))))


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
        raise errors.GatewayAway
    try:
        return provider_of(gateway).create(config_of(gateway), request)
    except ProviderUncertain as fault:
        raise errors.GatewayAway from fault
    except ProviderRefused as fault:
        raise errors.GatewayNotUsable from fault
    finally:
        _calls.release()


def in_transaction_of_request() -> bool:
    """Tell whether a transaction is open; tests that wrap each case in one replace this."""
    return in_transaction()


def start_top_up(
    *, customer_id: int, amount: int, choice: PayChoice, idempotency_key: str
) -> tuple[TopUp, Payment]:
    """Open a wallet top-up with its payment; the same key and content give the first one again.

    The bonus that counts now is promised with it. Locks the customer. Raises `TopUpAmountInvalid`,
    `WalletFull`, `TopUpKeyReused`.
    """
    if not is_top_up_amount(amount):
        raise errors.TopUpAmountInvalid(low=_yuan(10_000), high=_yuan(50_000_000))
    with transaction.atomic():
        lock_customer(customer_id)
        known = _find_top_up(customer_id, idempotency_key)
        if known is not None:
            if (known[0].amount, known[1].gateway_id) != (amount, choice.gateway_id):
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


def _yuan(amount: int) -> str:
    return format_yuan(Amount(amount))
