"""Placing an order: quote, compare with what was shown, and one round trip to the database.

By wallet the order is paid and, where keys are sold, delivered in that same statement. Otherwise
it holds stock until it expires, and a payment is opened beside it.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from kameng.catalog.inputs import clean_answers
from kameng.catalog.models import DeliveryKind
from kameng.catalog.selectors import PurchaseQuote, get_catalogue, quote_purchase
from kameng.core import clock
from kameng.core.crypto import binding, encrypt_text
from kameng.core.errors import Refusal
from kameng.core.ids import new_number
from kameng.orders import errors, store
from kameng.orders.links import contact_digest, order_token
from kameng.orders.models import Order
from kameng.orders.rules import Outcome
from kameng.orders.store import Placed, Placement
from kameng.payments.models import Purpose
from kameng.payments.selectors import PayChoice, list_payments_of
from kameng.pricing.margins import is_wallet_part
from kameng.pricing.money import Amount, format_yuan
from kameng.risk.services import Clearance, network_of
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who orders. `actor` names the person for caps and repeats: a customer, or a contact."""

    customer_id: int | None
    contact: str  # e-mail or phone, already cleaned; may be empty for a customer
    ip: str
    actor: str
    digest: bytes | None = None  # of the contact, where the caller has made it already


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is ordered. `shown_amount` is the total the buyer saw; `choice` None pays by wallet.

    With a choice, `wallet_part` comes from the wallet and the rest goes through the gateway. Points
    will stand before it: what they pay lowers what wallet and gateway share.
    """

    variant_id: int
    quantity: int
    answers: Mapping[str, str]
    shown_amount: int | None
    idempotency_key: str
    choice: PayChoice | None
    wallet_part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """What the buyer gets: where the order stands and the token that opens it."""

    order_id: int
    order_no: str
    token: str
    state: int
    is_repeat: bool
    total_amount: int
    payment_no: str | None  # of the payment that was opened beside it; None when paid by wallet


GUESTS_A_LINE = 4  # so many times a person's open orders may wait behind one address

REFUSALS: dict[Outcome, type[Refusal]] = {
    Outcome.KEY_REUSED: errors.KeyReused,
    Outcome.STALE: errors.PriceMoved,
    Outcome.NO_STOCK: errors.OutOfStock,
    Outcome.NO_MONEY: errors.NotEnoughMoney,
    Outcome.TOO_MANY_OPEN: errors.TooManyOpenOrders,
    Outcome.NO_PREPAID: errors.ShopPaused,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An order that nothing refuses but the database."""

    placement: Placement
    by_wallet: bool


def place_order(
    *,
    view: SiteView,
    buyer: Buyer,
    wish: Wish,
    clearance: Clearance,
    quoted: PurchaseQuote | None = None,
) -> PlacedOrder:
    """Place an order of the site in force; the same key and content give the first answer again.

    Needs a clearance of `risk`. `quoted` is what the caller has quoted for this wish by this view.
    Raises VariantNotFound, QuantityInvalid, Input…, TotalMismatch and those of `REFUSALS`; then
    nothing was changed. Publishes `OrderPaid` when paid by wallet.
    """
    prepared = prepare_order(view=view, buyer=buyer, wish=wish, clearance=clearance, quoted=quoted)
    placed = store.place([prepared.placement], by_wallet=prepared.by_wallet)[0]
    payment_no = prepared.placement.payment_no
    if payment_no is not None and placed.outcome == Outcome.REPEATED and placed.order_id:
        payments = list_payments_of(Purpose.ORDER, paid_for=placed.order_id)
        payment_no = payments[0].payment_no if payments else None
    return _conclude(prepared, placed, payment_no=payment_no)


def replay_order(view: SiteView, *, buyer: Buyer, key: str) -> PlacedOrder | None:
    """Return what an earlier request of this buyer with this key got, as its order stands now."""
    found = Order.objects.filter(request_key=_digest(f"{buyer.actor}|{key}")).first()
    if found is None:
        return None
    payments = list_payments_of(Purpose.ORDER, paid_for=found.id)
    return PlacedOrder(
        order_id=found.id,
        order_no=found.order_no,
        token=order_token(view.site_id, found.order_no),
        state=found.state,
        is_repeat=True,
        total_amount=found.total_amount,
        payment_no=payments[0].payment_no if payments else None,
    )


async def place_prepared(prepared: Prepared, *, stamp: str = "") -> PlacedOrder | None:
    """Place a prepared order on the event loop, in one statement with those who order now.

    With the `stamp` of a view of the site that nobody has compared yet, the database compares it.
    Raises as `place_order`. None for the repeat of an unpaid order, whose payment must be looked
    up: `place_order` answers it.
    """
    lane = store.wallet_lane if prepared.by_wallet else store.open_lane
    placement = prepared.placement
    placed = await lane.submit(placement._replace(stamp=stamp) if stamp else placement)
    payment_no = placement.payment_no
    if placed.outcome == Outcome.REPEATED and payment_no is not None:
        return None
    return _conclude(prepared, placed, payment_no=payment_no)


def prepare_order(
    *,
    view: SiteView,
    buyer: Buyer,
    wish: Wish,
    clearance: Clearance,
    quoted: PurchaseQuote | None = None,
) -> Prepared:
    """Quote, compare with what was shown and write the order down, without any query.

    Raises as `place_order`, short of what only the database knows.
    """
    if (clearance.site_id, clearance.actor) != (view.site_id, buyer.actor):
        raise PermissionError("the clearance was given to someone else")
    if not buyer.customer_id and not buyer.contact:
        raise errors.ContactInvalid
    quoted = quoted or quote_purchase(
        get_catalogue(view), variant_id=wish.variant_id, quantity=wish.quantity
    )
    answers = clean_answers(quoted.product.input_fields, wish.answers)
    total = quoted.quote.total_amount
    if wish.choice is None and buyer.customer_id is None and total:
        raise errors.SignInNeeded  # guests pay elsewhere; what costs nothing nobody pays
    if wish.shown_amount is not None and wish.shown_amount != total:
        raise errors.TotalMismatch(total=format_yuan(total))
    if wish.wallet_part:
        _check_part(buyer, wish, total=total)
    placement = _placement(view, buyer, wish, quoted=quoted, answers=answers)
    return Prepared(placement=placement, by_wallet=wish.choice is None)


def _check_part(buyer: Buyer, wish: Wish, *, total: int) -> None:
    """Let a wallet's part stand only beside a gateway that has something left to take."""
    if buyer.customer_id is None:
        raise errors.SignInNeeded
    if wish.choice is None or not is_wallet_part(wish.wallet_part, total_amount=total):
        raise errors.TotalMismatch(total=format_yuan(Amount(total)))


def _conclude(prepared: Prepared, placed: Placed, *, payment_no: str | None) -> PlacedOrder:
    outcome = Outcome(placed.outcome)
    if outcome in REFUSALS:
        raise REFUSALS[outcome]
    if placed.order_id is None or placed.order_no is None or placed.state is None:
        raise errors.PriceMoved  # a repeat whose first order was refused meanwhile
    return PlacedOrder(
        order_id=placed.order_id,
        order_no=placed.order_no,
        token=order_token(prepared.placement.site_id, placed.order_no),
        state=placed.state,
        is_repeat=outcome == Outcome.REPEATED,
        total_amount=prepared.placement.total_amount,
        payment_no=payment_no,
    )


def _placement(
    view: SiteView,
    buyer: Buyer,
    wish: Wish,
    *,
    quoted: PurchaseQuote,
    answers: Mapping[str, str],
) -> Placement:
    now = clock.now()
    order_no = new_number(now)
    aad = binding(view.site_id, "order", order_no)
    total = quoted.quote.total_amount
    inputs = json.dumps(answers, ensure_ascii=False) if answers else ""
    choice = wish.choice
    holder = _holder(buyer)
    terms = choice.terms_for(total - wish.wallet_part) if choice else None
    # A child buys the main site's goods through its upline; what it owns itself it does not.
    upline_id = view.upline_id if quoted.product.owner_id == view.main_id else None
    return Placement(
        site_id=view.site_id,
        main_site_id=view.main_id,  # whom the wholesale price is owed, or the share of own goods
        catalogue_version=view.catalogue_version,
        main_version=view.main_version,
        order_no=order_no,
        customer_id=buyer.customer_id,
        contact_cipher=encrypt_text(buyer.contact, aad) if buyer.contact else None,
        contact_digest=_contact_digest(view, buyer),
        product_id=quoted.product.id,
        variant_id=quoted.variant.id,
        title=f"{quoted.product.title} {quoted.variant.name}"[:130].strip(),
        delivery_kind=quoted.product.delivery_kind,
        quantity=wish.quantity,
        unit_amount=quoted.variant.unit.price_amount,
        total_amount=total,
        wholesale_amount=total
        if view.is_main
        else quoted.quote.wholesale_amount - quoted.quote.upline_amount,
        inputs_cipher=encrypt_text(inputs, aad) if inputs else None,
        request_key=_digest(f"{buyer.actor}|{wish.idempotency_key}"),
        request_digest=_digest(repr(_content(buyer, wish, inputs))),
        buyer_ip=buyer.ip,
        actor_digest=_digest(f"{view.site_id}|{holder}"),
        expires_at=now + dt.timedelta(seconds=view.settings.order_hold_seconds),
        open_limit=view.settings.open_orders_limit
        * (1 if holder == buyer.actor else GUESTS_A_LINE),
        share_bps=view.settings.reserve_share_bps,
        payment_no=new_number(now) if choice else None,
        gateway_id=choice.gateway_id if choice else None,
        fee_amount=terms.fee_amount if terms else 0,
        surcharge_amount=terms.surcharge_amount if terms else 0,
        wallet_part=wish.wallet_part,
        settlement_way=view.settlement_way,
        upline_site_id=upline_id,
        upline_amount=quoted.quote.upline_amount if upline_id is not None else None,
    )


def _content(buyer: Buyer, wish: Wish, inputs: str) -> tuple[object, ...]:
    """Return what an equal request must say again."""
    content: tuple[object, ...] = (
        wish.variant_id,
        wish.quantity,
        inputs,
        buyer.contact,
        wish.choice and wish.choice.way_key,
    )
    return (*content, wish.wallet_part) if wish.wallet_part else content


def _contact_digest(view: SiteView, buyer: Buyer) -> bytes | None:
    if not buyer.contact:
        return None
    return buyer.digest or contact_digest(view.site_id, buyer.contact)


def _holder(buyer: Buyer) -> str:
    """Name who holds what is unpaid: a customer, or the line that a guest comes by.

    A guest can write a new contact into every order, not a new address. A loopback address is every
    visitor's behind a proxy that is not named as trusted, so it says nothing about a person.
    """
    if buyer.customer_id is not None or buyer.ip.startswith("127.") or buyer.ip in {"", "::1"}:
        return buyer.actor
    return f"line:{network_of(buyer.ip)}"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def is_automatic(delivery_kind: int) -> bool:
    """Tell whether goods of this kind go out the moment they are paid."""
    return delivery_kind == DeliveryKind.CARD
