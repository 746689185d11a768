"""Money that came once more: one payment made twice, under two numbers of its gateway.

The second is a payment of its own that pays for nothing: in the books at once, shown to staff, and
given back by them through the gateway, which knows it by its own number only.
"""

from django.db import IntegrityError, transaction

from kameng.core import clock
from kameng.core.ids import new_number
from kameng.core.scope import Scope, open_scope
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments.models import Gateway, Payment, PaymentState, Proof
from kameng.payments.providers.abilities import at_moment
from kameng.payments.providers.port import (
    Confirmation,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.payments.services.gateways import config_of, provider_of
from kameng.payments.services.refunding import lock_payment
from kameng.payments.statements import make_statement


def accept_second(*, gateway: Gateway, said: Confirmation, scope: Scope) -> str:
    """Record a second payment; return an empty text, or why it is not believed.

    `scope` is that of the payment's site. The gateway is asked for its own number first: some call
    one trade by two, and whoever stole the key can invent a third. Calls out.
    """
    with open_scope(scope):
        first: Payment = Payment.objects.get(payment_no=said.payment_no)
        if _is_known(first, said.external_no):
            return ""
    try:
        answer = at_moment(provider_of(gateway), first.created_at).query(
            config_of(gateway), said.payment_no, external_no=said.external_no
        )
    except (ProviderUncertain, ProviderRefused):
        return "query_unanswered"
    paid = (PaidStatus.PAID, said.external_no, said.amount)
    if (answer.status, answer.external_no, answer.amount) != paid:
        return "paid_twice"
    try:
        with open_scope(scope), transaction.atomic():
            lock_payment(first.id)  # who sends the same callback at the same moment waits here
            if not _is_known(first, said.external_no):
                _record(first, answer)
    except IntegrityError:
        return "external_reused"  # the gateway's number pays another payment
    return ""


def _is_known(first: Payment, external_no: str) -> bool:
    return bool(
        Payment.objects.filter(
            gateway_id=first.gateway_id,
            external_no=external_no,
            purpose=first.purpose,
            subject_id=first.subject_id,
        ).exists()
    )


def _record(first: Payment, answer: Confirmation) -> None:
    now = clock.now()
    stated = make_statement(answer, gateway_id=first.gateway_id, source="query")
    second: Payment = Payment.objects.create(
        site_id=first.site_id,
        payment_no=new_number(now),
        purpose=first.purpose,
        subject_id=first.subject_id,
        gateway_id=first.gateway_id,
        amount=stated.amount,
        state=PaymentState.MISMATCHED,
        external_no=stated.external_no,
        received_amount=stated.amount,
        expires_at=now,
        confirmed_at=now,
    )
    Proof.objects.create(
        payment=second,
        site_id=first.site_id,
        source=stated.source,
        raw_digest=stated.raw_digest,
        note=first.payment_no,
    )
    post_transfers(
        [
            Posting(
                site_id=first.site_id,
                debit=account_id(AccountKind.GATEWAY_CLEARING, first.gateway_id),
                credit=account_id(AccountKind.ORDER_SUSPENSE, first.site_id),
                amount=stated.amount,
                code=Code.PAYMENT,
                reference_kind=first.purpose,
                reference_id=first.subject_id,
            )
        ]
    )
