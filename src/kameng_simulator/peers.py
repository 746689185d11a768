"""What the simulator's core needs of a payment platform that it plays, and how trouble is named.

A peer is one merchant's account at one platform: its API under its own paths, its callbacks, its
bills. The core owns the memory, the cashier, the courier and the trouble; a peer owns its wire and
its keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from kameng_simulator.store import Notice, Payment
from kameng_simulator.web import Reply, Request


class Twist(StrEnum):
    """What is wrong with a callback although the platform sends it; NONE: nothing."""

    NONE = ""
    FORGED = "forged"  # the signature is somebody's guess
    FOREIGN = "foreign"  # well signed, the same digits in another currency
    STRANGER = "stranger"  # well signed, of another merchant
    STALE = "stale"  # well signed, an hour old
    PROBE = "probe"  # the platform tests whether signatures are checked at all
    REPLAYED = "replayed"  # the very bytes of an earlier sending


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address of a peer. An `is_api` one is called by shops, so planned faults break it."""

    serve: Callable[[Request], Reply]
    is_api: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A callback as it goes over the wire: `query` is added to the address."""

    method: str = "POST"
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Peer(Protocol):
    """One merchant at one platform."""

    @property
    def kind(self) -> str:
        """Its word, also the `gateway` of its payments."""
        ...

    @property
    def label(self) -> str:
        """What a person calls it."""
        ...

    @property
    def calendar(self) -> Sequence[float]:
        """Seconds from one attempt of a callback to the next."""
        ...

    @property
    def fee_bps(self) -> int:
        """What it keeps of a payment, as its bills say."""
        ...

    @property
    def twists(self) -> frozenset[Twist]:
        """Return those that its protocol has a place for."""
        ...

    def routes(self) -> Mapping[str, Route]:
        """Return its addresses; one that ends with a slash and a star takes all below it."""
        ...

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        ...

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the facts of a callback about a paid payment; kept until it is sent."""
        ...

    def pack(self, notice: Notice) -> Outgoing:
        """Make a callback of kept facts, anew for each sending: its time, nonce and signature.

        `notice.twist` says what is wrong with it.
        """
        ...

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop's answer ends the sending."""
        ...

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying."""
        ...

    def rotate_keys(self) -> str:
        """Begin to sign with a new key as the platform does; return what the shop must know.

        Raises ValueError where the platform has no such thing.
        """
        ...


@runtime_checkable
class Disputer(Protocol):
    """A peer whose payers may take their money back through the bank."""

    def dispute(self, payment: Payment, *, status: str, amount_fen: int) -> None:
        """Tell the shop of a dispute of a paid payment; raise ValueError for no such status."""
        ...


@runtime_checkable
class Returner(Protocol):
    """A peer whose payouts may come back after they arrived."""

    def return_payout(self, own_no: str) -> None:
        """Let one come back; raise ValueError when none of this number arrived."""
        ...


@runtime_checkable
class Corrector(Protocol):
    """A peer that puts payments right days later, and says so in its files."""

    def correct(self, payment: Payment, *, day: str, is_in: bool, amount_fen: int) -> None:
        """Move money in or out for a paid payment on a day (YYYY-MM-DD); raise ValueError."""
        ...


def round_fee(amount_fen: int, *, fee_bps: int) -> int:
    """Return the fee of an amount in fen, half a fen upwards."""
    return (amount_fen * fee_bps + 5000) // 10_000
