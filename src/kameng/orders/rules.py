"""The states of an order and of its refunds, and which arrows exist. Pure."""

from enum import IntEnum


class State(IntEnum):
    """Where an order stands. Stored as numbers; `path` of an order lists those it went through."""

    AWAITING_PAYMENT = 1
    AWAITING_DELIVERY = 2  # paid; in the operator's queue
    DELIVERED = 3
    CANCELLED = 4  # by the buyer or staff before payment
    EXPIRED = 5  # not paid in time
    REFUNDING = 6  # the whole amount is on its way back
    REFUNDED = 7


ALLOWED: dict[State, frozenset[State]] = {
    State.AWAITING_PAYMENT: frozenset({State.AWAITING_DELIVERY, State.CANCELLED, State.EXPIRED}),
    State.AWAITING_DELIVERY: frozenset({State.DELIVERED, State.REFUNDING}),
    State.DELIVERED: frozenset({State.REFUNDING}),
    # A late payment revives what was given up; without stock it goes on to a refund.
    State.CANCELLED: frozenset({State.AWAITING_DELIVERY}),
    State.EXPIRED: frozenset({State.AWAITING_DELIVERY}),
    State.REFUNDING: frozenset({State.REFUNDED}),
    State.REFUNDED: frozenset(),
}

PAID_STATES = frozenset({State.AWAITING_DELIVERY, State.DELIVERED, State.REFUNDING, State.REFUNDED})


def is_path(states: list[int]) -> bool:
    """Tell whether a history starts unpaid and only follows arrows that exist."""
    if not states or states[0] != State.AWAITING_PAYMENT:
        return False
    return all(
        State(after) in ALLOWED[State(before)]
        for before, after in zip(states, states[1:], strict=False)
    )


class Outcome(IntEnum):
    """What became of one wish to place an order; the numbers are those of orders/sql."""

    PLACED = 0
    REPEATED = 1  # the same key and content: the first answer again
    KEY_REUSED = 2  # the same key with another content
    STALE = 3  # prices or listings moved since the quote
    NO_STOCK = 4
    NO_MONEY = 5
    TOO_MANY_OPEN = 6  # caps on what one person may hold unpaid
    NO_PREPAID = 7  # the shop's prepaid balance does not cover the wholesale price


class Settlement(IntEnum):
    """What a confirmed payment did to its order."""

    DELIVERED = 0
    QUEUED = 1  # paid; waits for an operator
    NO_STOCK = 2  # paid late, nothing left: refund
    ALREADY_PAID = 3  # a second payment of a paid order: give it back
    WALLET_SHORT = 4  # the wallet does not cover its part (any more): give the payment back
    AWAITS_PREPAID = 5  # paid; goes out as soon as the shop's prepaid balance covers it
    REST_ALONE = 7  # the rest of a short payment that went back meanwhile: give it back too
    PREPAID_SHORT = 6  # would be paid from a wallet, but the shop's prepaid balance is short


def redelivers(state: int) -> bool:
    """Tell whether goods of an order in this state may be shown or sent again."""
    return state == State.DELIVERED


def plain_contact(contact: str) -> str:
    """Return an address without what makes many of one mailbox: letter case, and +tags."""
    local, at, host = contact.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{host}" if local else host
