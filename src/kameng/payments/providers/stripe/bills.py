"""Stripe's bill: the balance transactions of a day, with what each is about.

Pure. A transaction is in the currency of the balance, which may be another than the buyer's: what
was asked is in the metadata of its source, the fee is led back by the transaction's own proportion.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kameng.payments.providers.abilities import Bill, BillLine, LineKind
from kameng.payments.providers.decoding import bound_text
from kameng.payments.providers.stripe import wire
from kameng.payments.providers.stripe.config import Config
from kameng.payments.providers.stripe.rates import MINOR_UNITS, convert, to_amount
from kameng.pricing.money import ZERO, Amount

MAX_UNREAD: Final = 200
_KINDS: Final = {
    "charge": LineKind.PAYMENT,
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "payout": LineKind.SETTLEMENT,
    "payout_cancel": LineKind.SETTLEMENT,
    "payout_failure": LineKind.SETTLEMENT,
    "stripe_fee": LineKind.FEE,
    "network_cost": LineKind.FEE,
}


def make_bill(
    config: Config, day: dt.date, pages: Sequence[bytes], rows: Sequence[Mapping[str, Any]]
) -> Bill:
    """Read the transactions of a day."""
    raw = b"\n".join(pages)
    lines: list[BillLine] = []
    unread: list[str] = []
    for row in rows:
        try:
            lines.append(_read_line(config, row))
        except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
            unread.append(bound_text(row))
    return Bill(
        day=day,
        lines=lines,
        unread_lines=unread[:MAX_UNREAD],
        raw=raw,
        raw_digest=hashlib.sha256(raw).hexdigest(),
    )


def _read_line(config: Config, row: Mapping[str, Any]) -> BillLine:
    source = row.get("source")
    thing = source if isinstance(source, dict) else {}
    metadata = thing.get("metadata") or {}
    kind = _KINDS.get(str(row["type"]), LineKind.OTHER)
    if str(row.get("reporting_category", "")).startswith("dispute"):
        kind = LineKind.DISPUTE
    moment = wire.read_moment(row["created"])
    if moment is None:
        raise ValueError("no time")
    net, fee = int(row["amount"]), int(row["fee"])
    amount, fee_amount = _read_money(config, row, thing)
    if kind is LineKind.FEE:
        amount, fee_amount = ZERO, Amount(-amount if net > 0 else amount)
    is_payment = kind is LineKind.PAYMENT
    own_no = metadata.get("payment_no", "") if is_payment else metadata.get("refund_no", "")
    return BillLine(
        kind=kind,
        own_no=bound_text(own_no, limit=64),
        payment_no=bound_text(metadata.get("payment_no", ""), limit=64),
        external_no=bound_text(
            thing.get("payment_intent") if is_payment else thing.get("id") or row["id"], limit=64
        ),
        amount=amount,
        fee_amount=fee_amount,
        happened_at=moment,
        text=bound_text(
            f"{row['id']} {row['type']} {net} {fee} {row['currency']}"
            f" {row.get('description') or ''}"
        ),
    )


def _read_money(
    config: Config, row: Mapping[str, Any], thing: Mapping[str, Any]
) -> tuple[Amount, Amount]:
    """Return amount and fee in yuan, the amount without its sign."""
    metadata, net, fee = thing.get("metadata") or {}, int(row["amount"]), int(row["fee"])
    minor = int(thing["amount"]) if "amount" in thing else abs(net)
    currency = str(thing.get("currency") or row["currency"])
    rate = config.rate
    if "rate" in metadata:
        price = wire.read_price(metadata)
        amount, rate = to_amount(minor, price), price.rate
    elif metadata.get("minor") == str(minor):
        amount = Amount(wire.read_whole(metadata["amount"]))
    elif currency == config.currency and currency in MINOR_UNITS:
        amount = convert(minor, currency=currency, rate=rate)
    else:
        raise ValueError("other currency")
    if not fee:
        return amount, ZERO
    # In the currency of the balance: led back by this very transaction's exchange.
    fee_minor = fee * minor // abs(net) if row["currency"] != currency else fee
    return amount, convert(fee_minor, currency=currency, rate=rate)
