"""Asking gateways about payments whose callback did not come, and closing what was given up."""

import datetime as dt

from kameng.core import clock
from kameng.core.scope import current_scope, open_scope, platform_scope
from kameng.payments import store
from kameng.payments.models import Gateway, Payment, PaymentState
from kameng.payments.providers.abilities import at_moment
from kameng.payments.providers.port import PaidStatus, ProviderRefused, ProviderUncertain
from kameng.payments.rules import SLOW_FAULTS, next_query_at
from kameng.payments.services.confirming import confirm_payment
from kameng.payments.services.gateways import config_of, provider_of
from kameng.payments.services.resting import note_answer, note_fault
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 20


def query_due_payments() -> int:
    """Ask the gateways of payments that are due; return how many were taken up. Calls out.

    A gateway that keeps us waiting is asked no more in this batch: the others have their turn.
    """
    with platform_scope("payments due for a query"):
        due = store.claim_queries(BATCH)
    silent: set[int] = set()
    for payment_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            query_payment(payment_id, silent=silent)
    return len(due)


def query_payment(payment_id: int, *, silent: set[int] | None = None) -> PaidStatus | None:
    """Ask about one payment of the site in force; confirm, close or put off. Calls out.

    `silent` holds the gateways that need not be asked, and gets those that kept us waiting.
    """
    payment = Payment.objects.filter(id=payment_id).first()
    if payment is None or payment.state in {PaymentState.CONFIRMED, PaymentState.MISMATCHED}:
        return None
    gateway = Gateway.objects.filter(id=payment.gateway_id).first()
    if gateway is None:
        return None
    silent = set() if silent is None else silent
    if gateway.id in silent:
        _put_off(payment, None)
        return None
    provider, config = at_moment(provider_of(gateway), payment.created_at), config_of(gateway)
    try:
        answer = provider.query(config, payment.payment_no)
        note_answer(gateway, opened=False)
        status = answer.status
        if status == PaidStatus.PAID:
            confirm_payment(answer, gateway_id=gateway.id, source="query", scope=current_scope())
            return status
        if payment.state == PaymentState.OPEN and payment.expires_at <= clock.now():
            status = provider.close(config, payment.payment_no)
    except (ProviderUncertain, ProviderRefused) as fault:
        status = None
        note_fault(gateway, code=fault.code)
        if fault.code in SLOW_FAULTS:
            silent.add(gateway.id)
    _put_off(payment, status)
    return status


def _put_off(payment: Payment, status: PaidStatus | None) -> None:
    """Plan the next ask. A closed payment may still be paid late: it is asked for a day more."""
    now = clock.now()
    later: dt.datetime | None = next_query_at(now, query_count=payment.query_count)
    if status == PaidStatus.PAID:  # closing came too late: it was paid meanwhile
        later = now
    elif status == PaidStatus.CLOSED:
        later = None
    changes: dict[str, object] = {"next_query_at": later}
    # What the gateway closed before its time cannot be paid: the buyer is led to another attempt.
    over = payment.expires_at <= now or status == PaidStatus.CLOSED
    if payment.state == PaymentState.OPEN and over and status not in {None, PaidStatus.PAID}:
        changes.update(state=PaymentState.CLOSED, closed_at=now)
    Payment.objects.filter(id=payment.id, state=payment.state).update(**changes)
    if "closed_at" in changes and payment.cap_day is not None:
        store.free_cap(payment.id)
