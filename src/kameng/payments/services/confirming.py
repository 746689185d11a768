"""Believing a gateway: callbacks, and the one writer that marks a payment as made.

A callback counts only when its signature is good, it names our own number, gateway and exact
amount, and, for top-ups and large sums, a query asked of the gateway says the same.
"""

import datetime as dt
from dataclasses import dataclass, replace

import psycopg.errors
from django.db import transaction

from kameng.core.audit import SYSTEM, Actor, record
from kameng.core.events import publish
from kameng.core.scope import Scope, current_scope, open_scope, platform_scope
from kameng.payments import errors, store
from kameng.payments.choosing import find_known_gateway, peek_known_gateway
from kameng.payments.events import PaymentConfirmed
from kameng.payments.models import (
    Gateway,
    Payment,
    PaymentState,
    Purpose,
    RejectedCallback,
)
from kameng.payments.providers.abilities import KeyFetcher, at_moment
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    DisputeNotice,
    Notice,
    OtherNotice,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
)
from kameng.payments.rules import ACCEPTED, ConfirmOutcome
from kameng.payments.services.crediting import credit_top_up
from kameng.payments.services.disputing import accept_dispute
from kameng.payments.services.gateways import config_of, freeze_gateway, provider_of
from kameng.payments.services.overpaying import accept_second
from kameng.payments.services.prepaying import credit_prepaid
from kameng.payments.services.refunding import note_refund
from kameng.payments.statements import Statement, make_statement
from kameng.payments.store import Confirmed
from kameng.tenancy.selectors import SiteView, get_site_view, scope_of_site

EXTERNAL_ONCE = "payments_external_once"
UNKNOWN_KEY = "unknown_serial"  # CallbackRejected: another key of the gateway may be needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the gateway gets back: its own words for yes and no.

    A genuine callback came from who has the gateway's key, whether or not it was accepted.
    """

    status: int
    body: bytes
    content_type: str
    accepted: bool
    is_genuine: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A callback that only the books can still contradict, and the yes that answers it."""

    statement: Statement
    reply: Reply


def accept_callback(
    *,
    gateway_id: int,
    callback: CallbackRequest,
    ip: str,
    view: SiteView | None = None,
    logs_forgery: bool = True,
) -> Reply:
    """Read a callback and confirm its payment; repeats get the same yes.

    `view` is the site whose host was called: it tells which version of the gateways is known.

    Raises `GatewayNotFound` for an unknown gateway. A refusal is uniform and logged; forgeries of
    an address that sends too many need not be.
    """
    gateway = find_known_gateway(view, gateway_id=gateway_id) if view else _find_gateway(gateway_id)
    if gateway is None:
        raise errors.GatewayNotFound
    provider = provider_of(gateway)
    try:
        said = _verify(gateway, callback)
    except CallbackRejected as fault:
        if logs_forgery:
            _reject(gateway, fault.code, "", ip)
        return replace(_reply(provider.callback_reply(ok=False), accepted=False), is_genuine=False)
    if isinstance(said, OtherNotice):
        return _reply(provider.callback_reply(ok=True), accepted=False)
    if isinstance(said, RefundNotice):
        if not note_refund(said, gateway=gateway):  # given back at the gateway, not by us
            _reject(gateway, "refund_unknown", said.refund_no or said.external_no, ip)
            return _reply(provider.callback_reply(ok=True), accepted=False)
        is_noted = not _take_nonce(gateway, said)
        return _reply(provider.callback_reply(ok=is_noted), accepted=is_noted)
    if isinstance(said, DisputeNotice):
        is_known = accept_dispute(said, gateway=gateway)
        is_booked = is_known and not _take_nonce(gateway, said)
        if not is_known:
            _reject(gateway, "dispute_unknown", said.payment_no or said.external_no, ip)
        return _reply(provider.callback_reply(ok=is_booked), accepted=is_booked)
    code = _believe(gateway, said, view=view)
    if code:
        _reject(gateway, code, said.payment_no, ip)
    return _reply(provider.callback_reply(ok=not code), accepted=not code)


def _verify(gateway: Gateway, callback: CallbackRequest) -> Notice:
    """Verify and read a callback; fetch the gateway's keys if it names one that nobody knows.

    Raises `CallbackRejected`. Calls out at a rate that the provider bounds.
    """
    provider, config = provider_of(gateway), config_of(gateway)
    try:
        return provider.parse_callback(config, callback)
    except CallbackRejected as fault:
        if fault.code != UNKNOWN_KEY or not isinstance(provider, KeyFetcher):
            raise
        if not provider.fetch_keys(config):
            raise
    return provider.parse_callback(config, callback)


def _take_nonce(gateway: Gateway, said: Confirmation | RefundNotice | DisputeNotice) -> str:
    """Remember the nonce of a callback that was accepted; say so if it was accepted before."""
    is_new = not said.nonce or store.take_nonce(gateway_id=gateway.id, nonce=said.nonce)
    return "" if is_new else "replayed"


def read_plain(*, gateway_id: int, callback: CallbackRequest, view: SiteView) -> Plain | None:
    """Read a callback that says "paid" and needs no query back, without asking the database.

    None for whatever `accept_callback` must look at. The gateways must be at hand.
    """
    gateway = peek_known_gateway(view, gateway_id=gateway_id)
    if gateway is None or gateway.is_frozen:
        return None
    provider = provider_of(gateway)
    try:
        said = provider.parse_callback(config_of(gateway), callback)
    except CallbackRejected:
        return None
    if not isinstance(said, Confirmation):
        return None
    if said.status != PaidStatus.PAID or said.amount >= gateway.verify_above_amount:
        return None
    return Plain(
        statement=make_statement(said, gateway_id=gateway.id, source="callback"),
        reply=_reply(provider.callback_reply(ok=True), accepted=True),
    )


def _reply(parts: tuple[int, bytes, str], *, accepted: bool) -> Reply:
    status, body, content_type = parts
    return Reply(status=status, body=body, content_type=content_type, accepted=accepted)


def _find_gateway(gateway_id: int) -> Gateway:
    with platform_scope("a callback names its gateway"):
        gateway: Gateway | None = Gateway.unscoped.filter(id=gateway_id).first()
    if gateway is None:
        raise errors.GatewayNotFound
    return gateway


def _believe(gateway: Gateway, said: Confirmation, *, view: SiteView | None) -> str:
    """Confirm what a good signature says; return an empty text, or why it is not believed."""
    if said.status != PaidStatus.PAID:
        return ""  # a status that changes nothing is acknowledged
    if gateway.is_frozen:
        return "gateway_frozen"
    payment = store.find_known(said.payment_no)
    if payment is None:
        return "payment_unknown"
    if payment.gateway_id != gateway.id:
        return "other_gateway"
    # A gateway may be the operator's own: the main site is not always who owns it.
    main_id = view.main_id if view is not None else get_site_view(payment.site_id).main_id
    scope = scope_of_site(payment.site_id, main_id=main_id)
    if payment.state in {PaymentState.CONFIRMED, PaymentState.MISMATCHED}:
        # Our own number stands where a query named none of the gateway's.
        is_same = payment.external_no in {said.external_no, said.payment_no}
        code = "" if is_same else accept_second(gateway=gateway, said=said, scope=scope)
        return code or _take_nonce(gateway, said)
    if payment.purpose != Purpose.ORDER or payment.amount >= gateway.verify_above_amount:
        contradiction = _ask_back(gateway, said, opened_at=payment.created_at)
        if contradiction:
            return contradiction
    outcome = confirm_payment(said, gateway_id=gateway.id, source="callback", scope=scope).outcome
    return {
        ConfirmOutcome.UNKNOWN: "payment_unknown",
        ConfirmOutcome.OTHER_GATEWAY: "other_gateway",
        ConfirmOutcome.EXTERNAL_REUSED: "external_reused",
        ConfirmOutcome.PAID_TWICE: "paid_twice",
        ConfirmOutcome.REPLAYED: "replayed",
    }.get(ConfirmOutcome(outcome), "")


def _ask_back(gateway: Gateway, said: Confirmation, *, opened_at: dt.datetime) -> str:
    """Ask the gateway itself; a clear no freezes it (its key signs what it does not know)."""
    try:
        provider = at_moment(provider_of(gateway), opened_at)
        answer = provider.query(config_of(gateway), said.payment_no)
    except (ProviderUncertain, ProviderRefused):
        return "query_unanswered"  # not acknowledged: the gateway calls again, and we query later
    if answer.status == PaidStatus.PAID and answer.amount == said.amount:
        return ""
    with open_scope(scope_of_site(gateway.site_id, main_id=gateway.site_id)):
        freeze_gateway(gateway=gateway, why=f"query said {answer.status}", actor=SYSTEM)
    return "query_contradicts"


def confirm_payment(
    said: Confirmation, *, gateway_id: int, source: str, scope: Scope, note: str = ""
) -> Confirmed:
    """Mark a payment as made: the only writer. A repeat changes nothing.

    `scope` is that of the payment's site. Publishes `PaymentConfirmed` (its same-transaction
    handlers settle the order). Locks the payment, then what the handlers lock. The nonce of a
    callback is taken in the same transaction: a crash before its end lets it come again.
    """
    statement = make_statement(said, gateway_id=gateway_id, source=source, note=note)
    try:
        with open_scope(scope), transaction.atomic():
            done = store.confirm(statement)
            if said.nonce and ConfirmOutcome(done.outcome) in ACCEPTED:
                _refuse_replay(statement)
            if done.outcome == ConfirmOutcome.CONFIRMED:
                announce_confirmed(done, gateway_id=gateway_id)
    except _ReplayedError:
        return store.REPLAYED
    except psycopg.errors.UniqueViolation as fault:
        if fault.diag.constraint_name != EXTERNAL_ONCE:
            raise
        return store.EXTERNAL_REUSED  # another payment took the gateway's number a moment ago
    return done


class _ReplayedError(Exception):
    """A nonce came again: what the transaction did is taken back."""


def _refuse_replay(statement: Statement) -> None:
    if not store.take_nonce(gateway_id=statement.gateway_id, nonce=statement.nonce):
        raise _ReplayedError


def announce_confirmed(done: Confirmed, *, gateway_id: int) -> None:
    """Tell what a payment paid for that it was made; call in the confirming transaction."""
    assert done.site_id is not None  # noqa: S101 - a confirmed row names all of these
    assert done.payment_id is not None  # noqa: S101
    assert done.paid_for is not None  # noqa: S101
    if done.purpose == Purpose.TOP_UP and not credit_top_up(done, gateway_id=gateway_id):
        return
    if done.purpose == Purpose.PREPAID:
        credit_prepaid(
            site_id=done.site_id,
            paid_in_id=done.paid_for,
            gateway_id=gateway_id,
            fee_amount=int(done.fee_amount or 0),
        )
    publish(
        PaymentConfirmed(
            site_id=done.site_id,
            subject_id=done.payment_id,
            purpose=int(done.purpose or 0),
            paid_for=done.paid_for,
            amount=int(done.amount or 0),
            fee_amount=int(done.fee_amount or 0),
        )
    )


def confirm_by_staff(*, payment_id: int, actor: Actor) -> PaidStatus:
    """Ask the gateway about a payment on a person's request, and confirm it if it was made.

    Returns what the gateway said. Calls out: never inside a transaction. Audited.
    Raises `GatewayAway`.
    """
    payment = Payment.objects.filter(id=payment_id).first()
    if payment is None:
        raise errors.PaymentNotFound
    gateway = _find_gateway(payment.gateway_id)
    try:
        provider = at_moment(provider_of(gateway), payment.created_at)
        answer = provider.query(config_of(gateway), payment.payment_no)
    except (ProviderUncertain, ProviderRefused) as fault:
        raise errors.GatewayAway from fault
    if answer.status == PaidStatus.PAID:
        confirm_payment(
            answer,
            gateway_id=gateway.id,
            source="query",
            scope=current_scope(),
            note=f"asked by {actor.name}",
        )
    with transaction.atomic():
        record(
            "payment.queried",
            actor=actor,
            site_id=payment.site_id,
            subject=("payment", payment_id),
            detail={"answer": str(answer.status)},
        )
    return answer.status


def _reject(gateway: Gateway, code: str, payment_no: str, ip: str) -> None:
    with platform_scope("log a refused callback"):
        RejectedCallback.objects.create(
            gateway_id=gateway.id,
            site_id=gateway.site_id,
            code=code[:32],
            payment_no=payment_no[:64],
            ip=ip[:45],
        )
