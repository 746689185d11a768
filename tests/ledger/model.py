"""What ought to happen to money, orders and keys, written again from the rules and in plain Python.

Knows nothing of the program: no import of it, no SQL. One site, one kind of goods at one price.
Values are integers; `accounts` are credits minus debits. Every operation returns a word.
"""

from collections import Counter
from dataclasses import dataclass, field

UNPAID, QUEUED, DELIVERED, CANCELLED, EXPIRED, REFUNDING, REFUNDED = range(1, 8)
OPEN, CONFIRMED, CLOSED, MISMATCHED = range(1, 5)


@dataclass
class Attempt:
    """A payment: one attempt to pay an order through one gateway."""

    number: int  # of all attempts
    gateway: str
    amount: int
    fee: int
    state: int = OPEN
    external: str = ""
    received: int = 0
    sent_back: int = 0


@dataclass
class Back:
    """A refund that the gateway was asked for, of an order's refund or of money paid twice."""

    attempt: Attempt
    amount: int
    refund: "Refund | None"
    state: str = "waiting"


@dataclass
class Refund:
    """A refund of an order."""

    amount: int
    to: str
    state: str


@dataclass
class Deal:
    """An order of `pieces`, the keys it holds, its payments and refunds."""

    buyer: str  # empty: a guest
    pieces: int
    total: int
    own: int  # the main site's part before fees
    state: int = UNPAID
    path: list[int] = field(default_factory=lambda: [UNPAID])
    held: int = 0
    sold: int = 0
    fee: int = 0
    paid_from: str = ""  # wallet or the gateway's name
    refunded: int = 0
    seen: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    refunds: dict[str, Refund] = field(default_factory=dict)
    paid_by: Attempt | None = None

    def go(self, state: int) -> None:
        self.state = state
        self.path.append(state)


@dataclass
class Model:
    """The whole of one shop."""

    price: int
    own: int
    fee_bps: int  # what gateways keep
    stock: int
    partial: bool  # whether gateways give back parts
    accounts: Counter[str] = field(default_factory=Counter)
    deals: list[Deal] = field(default_factory=list)
    backs: list[Back] = field(default_factory=list)

    def move(self, debit: str, credit: str, amount: int) -> None:
        self.accounts[debit] -= amount
        self.accounts[credit] += amount

    def wallet(self, buyer: str) -> int:
        return self.accounts[f"wallet {buyer}"]

    # placing

    def place(self, buyer: str, pieces: int, *, by_wallet: bool, gateway: str = "") -> str:
        deal = Deal(buyer=buyer, pieces=pieces, total=pieces * self.price, own=pieces * self.own)
        if by_wallet and self.wallet(buyer) < deal.total:
            return "not_enough_money"
        if self.stock < pieces:
            return "out_of_stock"
        self.stock -= pieces
        self.deals.append(deal)
        if by_wallet:
            deal.held = pieces
            self._sell(deal, source=f"wallet {buyer}", fee=0, name="wallet")
        else:
            deal.held = pieces
            self.open_attempt(deal, gateway)
        return "ok"

    def open_attempt(self, deal: Deal, gateway: str) -> str:
        if deal.state != UNPAID:
            return "order_state_forbids"
        for attempt in deal.attempts:
            if attempt.gateway == gateway and attempt.state == OPEN:
                return "ok"
        fee = (deal.total * self.fee_bps + 500_000) // 1_000_000 * 100  # whole fen, half up
        number = sum(len(d.attempts) for d in self.deals)
        deal.attempts.append(Attempt(number=number, gateway=gateway, amount=deal.total, fee=fee))
        return "ok"

    def _sell(self, deal: Deal, *, source: str, fee: int, name: str) -> None:
        deal.paid_from, deal.fee = name, fee
        deal.go(QUEUED)
        if deal.held:
            deal.sold, deal.held = deal.held, 0
            deal.go(DELIVERED)
        for part, account in zip(
            self._parts(deal), ("sales", "margin", f"fees {name}"), strict=True
        ):
            self.move(source, account, part)

    def _parts(self, deal: Deal) -> tuple[int, int, int]:
        """Main site, operator, gateway: the operator bears the fee as far as its margin goes."""
        margin = deal.total - deal.own
        by_operator = min(deal.fee, margin)
        return deal.own - (deal.fee - by_operator), margin - by_operator, deal.fee

    # paying

    def pay_from_wallet(self, deal: Deal) -> str:
        if not deal.buyer or deal.state != UNPAID:
            return "order_state_forbids"
        if self.wallet(deal.buyer) < deal.total:
            return "not_enough_money"
        self._sell(deal, source=f"wallet {deal.buyer}", fee=0, name="wallet")
        return "ok"

    def pay(self, deal: Deal, attempt: Attempt, external: str, *, short: int = 0) -> str:
        """A gateway says that money came; true words only."""
        if attempt.state in (CONFIRMED, MISMATCHED):
            self._take_second(deal, attempt, external, attempt.amount - short)
            return "ok"
        attempt.external, attempt.received = external, attempt.amount - short
        attempt.state = MISMATCHED if short else CONFIRMED
        self.move(f"gateway {attempt.gateway}", "suspense", attempt.received)
        if short:
            return "ok"
        if deal.state in (UNPAID, CANCELLED, EXPIRED):
            self._settle(deal, attempt)
        else:
            self._send_back(attempt, attempt.amount, None)
        return "ok"

    def _take_second(self, deal: Deal, first: Attempt, external: str, amount: int) -> None:
        """Money came once more, under another number: an attempt that pays for nothing."""
        if any((a.gateway, a.external) == (first.gateway, external) for a in deal.attempts):
            return
        number = sum(len(d.attempts) for d in self.deals)
        deal.attempts.append(
            Attempt(
                number=number,
                gateway=first.gateway,
                amount=amount,
                fee=0,
                state=MISMATCHED,
                external=external,
                received=amount,
            )
        )
        self.move(f"gateway {first.gateway}", "suspense", amount)

    def give_back(self, attempt: Attempt, *, by_hand: bool) -> str:
        """A person gives back money of another amount, or that came twice."""
        left = attempt.received - attempt.sent_back
        if attempt.state != MISMATCHED:
            return "payment_closed"
        if not left:
            return "refund_too_much"
        if by_hand:
            attempt.sent_back += left
            self.move("suspense", "outside", left)
        else:
            self._send_back(attempt, left, None)
        return "ok"

    def _settle(self, deal: Deal, attempt: Attempt) -> None:
        if deal.state != UNPAID and self.stock >= deal.pieces:
            self.stock -= deal.pieces
            deal.held = deal.pieces
        deal.paid_by = attempt
        self._sell(deal, source="suspense", fee=attempt.fee, name=attempt.gateway)
        if not deal.sold:
            self.refund(deal, f"late {attempt.number}", None, to="source")

    # giving up

    def close(self, deal: Deal, state: int) -> str:
        if deal.state != UNPAID:
            return "order_state_forbids"
        deal.go(state)
        self.stock += deal.held
        deal.held = 0
        return "ok"

    def close_attempt(self, attempt: Attempt) -> str:
        if attempt.state == OPEN:
            attempt.state = CLOSED
        return "ok"

    # money back

    def refund(self, deal: Deal, key: str, amount: int | None, *, to: str) -> str:
        known = deal.refunds.get(key)
        if known:
            return "ok" if amount in (None, known.amount) else "idempotency_key_reused"
        if deal.state not in (QUEUED, DELIVERED):
            return "order_state_forbids"
        left = deal.total - deal.refunded
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            return "refund_too_large"
        if (to == "wallet" and not deal.buyer) or (to == "source" and deal.paid_from == "wallet"):
            return "refund_route_missing"
        if to == "source":
            assert deal.paid_by
            if amount != deal.paid_by.received and not self.partial:
                return "refund_route_missing"
        self._reverse(deal, amount)
        refund = deal.refunds[key] = Refund(amount=amount, to=to, state="waiting")
        if to == "wallet":
            self.move("suspense", f"wallet {deal.buyer}", amount)
            self._finish(deal, refund)
        elif to == "hand":
            self.move("suspense", "outside", amount)
            self._finish(deal, refund)
        else:
            assert deal.paid_by
            self._send_back(deal.paid_by, amount, refund)
        return "ok"

    def _reverse(self, deal: Deal, amount: int) -> None:
        before, deal.refunded = deal.refunded, deal.refunded + amount
        new, old = self._given_back(deal, deal.refunded), self._given_back(deal, before)
        sides = ("sales", "margin", f"fees {deal.paid_from}")
        for account, after, first in zip(sides, new, old, strict=True):
            self.move(account, "suspense", after - first)
        if deal.refunded == deal.total:
            deal.go(REFUNDING)
            self.stock += 0 if deal.seen else deal.sold
            deal.sold = 0

    def _given_back(self, deal: Deal, amount: int) -> tuple[int, int, int]:
        """Of so much given back in all: first the gateway's share, then the main site's."""
        main, margin, fee = self._parts(deal)
        by_fee = amount * fee // deal.total
        rest, others = amount - by_fee, main + margin
        by_main = rest * main // others if others else 0
        return by_main, rest - by_main, by_fee

    def _send_back(self, attempt: Attempt, amount: int, refund: Refund | None) -> None:
        attempt.sent_back += amount
        self.backs.append(Back(attempt=attempt, amount=amount, refund=refund))

    def answer(self, back: Back, *, done: bool) -> str:
        """The gateway says what became of a refund that it was asked for."""
        if back.state != "waiting":
            return "ok"
        deal = next(d for d in self.deals if back.attempt in d.attempts)
        if done:
            back.state = "done"
            self.move("suspense", f"gateway {back.attempt.gateway}", back.amount)
            if back.refund:
                self._finish(deal, back.refund)
        else:
            back.state = "refused"
            back.attempt.sent_back -= back.amount
            if back.refund:
                back.refund.state = "refused"
            else:
                back.attempt.state = MISMATCHED  # a person decides
        return "ok"

    def decide(self, deal: Deal, refund: Refund, way: str) -> str:
        """A person decides a refund that the gateway refused."""
        if refund.state != "refused":
            return "order_state_forbids"
        if way == "wallet" and not deal.buyer:
            return "refund_route_missing"
        if way == "again":
            assert deal.paid_by
            refund.state = "waiting"
            self._send_back(deal.paid_by, refund.amount, refund)
            return "ok"
        account = f"wallet {deal.buyer}" if way == "wallet" else "outside"
        self.move("suspense", account, refund.amount)
        self._finish(deal, refund)
        return "ok"

    def _finish(self, deal: Deal, refund: Refund) -> None:
        refund.state = "done"
        if deal.state == REFUNDING and all(r.state == "done" for r in deal.refunds.values()):
            deal.go(REFUNDED)

    # wallets

    def adjust(self, buyer: str, amount: int) -> str:
        if self.wallet(buyer) + amount < 0:
            return "wallet_short"
        self.move("outside", f"wallet {buyer}", amount)
        return "ok"

    def top_up(self, buyer: str, gateway: str, amount: int, fee: int) -> None:
        self.move(f"gateway {gateway}", "suspense", amount)
        self.move("suspense", f"wallet {buyer}", amount)
        self.move("sales", f"fees {gateway}", fee)
