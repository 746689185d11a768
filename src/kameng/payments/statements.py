"""What a gateway has said about a payment, verified: the input of every confirmation. Pure."""

from dataclasses import dataclass

from kameng.payments.providers.port import Confirmation


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A verified statement: `external_no` of `gateway_id` paid `amount` for `payment_no`.

    `nonce` is that of the callback it came by, where the gateway uses one.
    """

    payment_no: str
    gateway_id: int
    external_no: str
    amount: int
    source: str
    raw_digest: bytes
    note: str = ""
    nonce: str = ""


def make_statement(
    said: Confirmation, *, gateway_id: int, source: str, note: str = ""
) -> Statement:
    """Write down what a gateway said; without a number of its own, ours stands for it."""
    return Statement(
        payment_no=said.payment_no,
        gateway_id=gateway_id,
        external_no=said.external_no or said.payment_no,
        amount=said.amount,
        source=source,
        raw_digest=bytes.fromhex(said.raw_digest) if said.raw_digest else b"",
        note=note,
        nonce=said.nonce,
    )
