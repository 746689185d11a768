"""What a gateway has said about a payment, verified: the input of every confirmation. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A verified statement: `external_no` of `gateway_id` paid `amount` for `payment_no`."""

    payment_no: str
    gateway_id: int
    external_no: str
    amount: int
    source: str
    raw_digest: bytes
    note: str = ""
