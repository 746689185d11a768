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
    surcharge: int = 0  # of the amount: the fee that the buyer bears
    state: int = OPEN
    external: str = ""
    received: int = 0
    sent_back: int = 0
    completes: "Attempt | None" = None  # a short payment whose rest this one pays
    missing: int = 0  # asked of the buyer, while he is asked


@dataclass
class Back:
    """A refund that the gateway was asked for, of an order's refund or of money paid twice."""

    attempt: Attempt
    amount: int
    refund: "Refund | None"
    state: str = "waiting"


@dataclass
class Refund:
    """A refund of an order: of the goods, of the surcharge, and what of both goes to the wallet."""

    amount: int
    to: str
    state: str
    surcharge: int = 0
    by_wallet: int = 0
    by: "Attempt | None" = None  # the payment that it goes back by

    @property
    def rest(self) -> int:
        return self.amount + self.surcharge - self.by_wallet


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
    fee: int = 0  # that no surcharge covers
    surcharge: int = 0
    surcharge_fee: int = 0
    part: int = 0  # of the wallet, beside a gateway: held, then spent
    waits: bool = False  # paid, but the wholesale price is not
    paid_from: str = ""  # wallet or the gateway's name
    refunded: int = 0
    seen: bool = False
    paid_order: int = 0  # of the orders that a gateway paid, the how manieth
    attempts: list[Attempt] = field(default_factory=list)
    refunds: dict[str, Refund] = field(default_factory=dict)
    paid_by: Attempt | None = None
    first: Attempt | None = None  # a short payment that paid it together with that one
    first_fee: int = 0

    @property
    def first_amount(self) -> int:
        return self.first.received if self.first else 0

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
    by_buyer: frozenset[str] = frozenset()  # gateways whose fee the buyer bears
    prepaid: bool = False  # the operator takes the money and prepays the wholesale price
    credit: int = 0  # how far below zero that balance may fall
    accounts: Counter[str] = field(default_factory=Counter)
    deals: list[Deal] = field(default_factory=list)
    backs: list[Back] = field(default_factory=list)
    asked: list[Attempt] = field(default_factory=list)  # short payments whose buyers are asked

    def move(self, debit: str, credit: str, amount: int) -> None:
        self.accounts[debit] -= amount
        self.accounts[credit] += amount

    def wallet(self, buyer: str) -> int:
        return self.accounts[f"wallet {buyer}"]

    # placing

    def place(
        self, buyer: str, pieces: int, *, by_wallet: bool, gateway: str = "", part: int = 0
    ) -> str:
        deal = Deal(buyer=buyer, pieces=pieces, total=pieces * self.price, own=pieces * self.own)
        if part and not 0 < part < deal.total:
            return "total_mismatch"
        if self.wallet(buyer) < (deal.total if by_wallet else part):
            return "not_enough_money"
        if self.prepaid and not self.covers(deal):
            return "shop_paused"
        if self.stock < pieces:
            return "out_of_stock"
        self.stock -= pieces
        self.deals.append(deal)
        if by_wallet:
            deal.held = pieces
            self._sell(deal, source=f"wallet {buyer}", fee=0, name="wallet")
        else:
            deal.held = pieces
            self._set_part(deal, part)
            self.open_attempt(deal, gateway)
        return "ok"

    def covers(self, deal: Deal) -> bool:
        return self.accounts["prepaid"] + self.credit >= deal.own

    def _set_part(self, deal: Deal, part: int) -> None:
        self.move(f"wallet {deal.buyer}", "suspense", part - deal.part)
        deal.part = part

    def open_attempt(self, deal: Deal, gateway: str, part: int | None = None) -> str:
        if part is not None and part and not 0 < part < deal.total:
            return "not_enough_money"
        if part is not None and part != deal.part and deal.buyer:
            if deal.state != UNPAID:
                return "order_state_forbids"
            if self.wallet(deal.buyer) < part - deal.part:
                return "not_enough_money"
            self._set_part(deal, part)
        elif part and not deal.buyer:
            return "sign_in_needed"
        if deal.state != UNPAID:
            return "order_state_forbids"
        rest = deal.total - deal.part
        known = [a for a in deal.attempts if a.gateway == gateway and a.state == OPEN]
        if known and known[-1].amount - known[-1].surcharge == rest:
            return "ok"
        surcharge = 0
        if gateway in self.by_buyer:  # whole fen, up: what is left after the fee is the rest
            surcharge = -(-rest * self.fee_bps // ((10_000 - self.fee_bps) * 100)) * 100
        amount = rest + surcharge
        fee = (amount * self.fee_bps + 500_000) // 1_000_000 * 100  # whole fen, half up
        number = sum(len(d.attempts) for d in self.deals)
        deal.attempts.append(
            Attempt(number=number, gateway=gateway, amount=amount, fee=fee, surcharge=surcharge)
        )
        return "ok"

    def _sell(self, deal: Deal, *, source: str, fee: int, name: str, surcharge: int = 0) -> None:
        deal.paid_from, deal.surcharge = name, surcharge
        deal.surcharge_fee = min(fee, surcharge)
        deal.fee = fee - deal.surcharge_fee
        deal.go(QUEUED)
        deal.waits = self.prepaid and not self.covers(deal)
        taker = "takings" if self.prepaid else "sales"
        if self.prepaid:
            self.move(source, "takings", deal.total - deal.fee)
            self.move(source, f"fees {name}", deal.fee)
            self.move("prepaid", "sales", 0 if deal.waits else deal.own)
        else:
            sides = ("sales", "margin", f"fees {name}")
            for part, account in zip(self._parts(deal), sides, strict=True):
                self.move(source, account, part)
        if deal.first:  # of all fees, that of the first payment is its own gateway's
            self.move(f"fees {name}", f"fees {deal.first.gateway}", deal.first_fee)
        self.move(source, f"fees {name}", deal.surcharge_fee)
        self.move(source, taker, surcharge - deal.surcharge_fee)
        if deal.held and not deal.waits:
            self._deliver(deal)

    def _deliver(self, deal: Deal) -> None:
        deal.sold, deal.held = deal.held, 0
        deal.go(DELIVERED)

    def resume(self) -> str:
        """The prepaid balance has grown: orders that wait for it go out, the oldest first."""
        for deal in sorted(self.deals, key=lambda d: d.paid_order):
            if not deal.waits or deal.state != QUEUED:
                continue
            if not self.covers(deal):
                break
            self.move("prepaid", "sales", deal.own)
            deal.waits = False
            if not deal.held and self.stock >= deal.pieces:
                self.stock -= deal.pieces
                deal.held = deal.pieces
            if deal.held:
                self._deliver(deal)
            else:
                assert deal.paid_by
                self.refund(deal, f"late {deal.paid_by.number}", None, to="source")
        return "ok"

    def prepay(self, amount: int) -> str:
        if self.accounts["prepaid"] + amount < -self.credit:
            return "prepaid_short"
        self.move("outside main", "prepaid", amount)
        return "ok"

    def _parts(self, deal: Deal) -> tuple[int, int, int]:
        """Main site, operator, gateway: the operator bears the fee as far as its margin goes."""
        margin = deal.total - deal.own
        by_operator = min(deal.fee, margin)
        return deal.own - (deal.fee - by_operator), margin - by_operator, deal.fee

    # paying

    def pay_from_wallet(self, deal: Deal) -> str:
        if not deal.buyer or deal.state != UNPAID:
            return "order_state_forbids"
        if self.wallet(deal.buyer) + deal.part < deal.total:
            return "not_enough_money"
        if self.prepaid and not self.covers(deal):
            return "shop_paused"
        self._set_part(deal, 0)
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
        self._ask_no_more(attempt)
        if by_hand:
            attempt.sent_back += left
            self.move("suspense", "outside", left)
        else:
            self._send_back(attempt, left, None)
        return "ok"

    # asking for the rest of a short payment

    def ask_rest(self, deal: Deal, attempt: Attempt) -> str:
        if attempt.state != MISMATCHED or attempt.sent_back:
            return "payment_closed"
        missing = attempt.amount - attempt.surcharge - attempt.received
        if deal.state not in (UNPAID, CANCELLED, EXPIRED) or attempt.completes or attempt.missing:
            return "shortfall_refused"
        if missing <= 0:
            return "shortfall_refused"
        attempt.missing = missing
        attempt.fee = (
            (attempt.fee * attempt.received * 2 + attempt.amount * 100)
            // (attempt.amount * 200)
            * 100
        )  # that of what came, half a fen up
        self.asked.append(attempt)
        return "ok"

    def _ask_no_more(self, attempt: Attempt) -> None:
        if attempt.missing:
            attempt.missing = 0
            self.asked = [other for other in self.asked if other is not attempt]

    def rest_of(self, deal: Deal) -> Attempt | None:
        """Return the short payment whose rest the buyer of an unpaid order is asked for."""
        if deal.state not in (UNPAID, CANCELLED, EXPIRED):
            return None
        return next((a for a in self.asked if any(a is each for each in deal.attempts)), None)

    def open_rest(self, deal: Deal, gateway: str) -> str:
        first = self.rest_of(deal)
        if first is None:
            return "order_state_forbids"
        tries = [a for a in deal.attempts if a.completes is first]
        if any(a.gateway == gateway and a.state == OPEN for a in tries):
            return "ok"
        if len(tries) >= 10:
            return "gateway_not_usable"
        number = sum(len(d.attempts) for d in self.deals)
        fee = (first.missing * self.fee_bps + 500_000) // 1_000_000 * 100
        deal.attempts.append(
            Attempt(number=number, gateway=gateway, amount=first.missing, fee=fee, completes=first)
        )
        return "ok"

    def pay_rest_from_wallet(self, deal: Deal) -> str:
        first = self.rest_of(deal)
        if first is None:
            return "order_state_forbids"
        if not deal.buyer:
            return "sign_in_needed"
        part = deal.total - first.received
        if self.wallet(deal.buyer) < part - deal.part:
            return "not_enough_money"
        waits = self.prepaid and not self.covers(deal)
        if deal.state != UNPAID and self.stock < deal.pieces and not waits:
            return "out_of_stock"
        self._ask_no_more(first)
        first.state = CONFIRMED
        self._pay_with(deal, first, part=part, fee=first.fee, surcharge=0)
        return "ok"

    def end_rests(self) -> str:
        """The time of all is over: what nobody completed goes back."""
        for attempt in list(self.asked):
            self._ask_no_more(attempt)
            self._send_back(attempt, attempt.received, None)
        return "ok"

    def _settle(self, deal: Deal, attempt: Attempt) -> None:
        first, paid, surcharge = attempt.completes, attempt.amount, attempt.surcharge
        if first:
            if first.state != MISMATCHED or first.sent_back:
                self._send_back(attempt, attempt.amount, None)  # it completes nothing any more
                return
            paid, surcharge = paid + first.received, 0
        part = deal.total - (paid - surcharge)
        if part > deal.part and self.wallet(deal.buyer) < part - deal.part:
            self._send_back(attempt, attempt.amount, None)  # nothing that it could pay
            return
        fee = attempt.fee
        if first:
            self._ask_no_more(first)
            first.state, deal.first, deal.first_fee = CONFIRMED, first, first.fee
            fee += first.fee
        self._pay_with(deal, attempt, part=part, fee=fee, surcharge=surcharge)

    def _pay_with(
        self, deal: Deal, attempt: Attempt, *, part: int, fee: int, surcharge: int
    ) -> None:
        if deal.buyer:
            self._set_part(deal, part)
        waits = self.prepaid and not self.covers(deal)
        if deal.state != UNPAID and self.stock >= deal.pieces and not waits:
            self.stock -= deal.pieces
            deal.held = deal.pieces
        deal.paid_by = attempt
        deal.paid_order = 1 + max(d.paid_order for d in self.deals)
        self._sell(deal, source="suspense", fee=fee, name=attempt.gateway, surcharge=surcharge)
        if not deal.sold and not deal.waits:
            self.refund(deal, f"late {attempt.number}", None, to="source")

    # giving up

    def close(self, deal: Deal, state: int) -> str:
        if deal.state != UNPAID:
            return "order_state_forbids"
        deal.go(state)
        self.stock += deal.held
        deal.held = 0
        if deal.buyer:
            self._set_part(deal, 0)
        return "ok"

    def close_attempt(self, attempt: Attempt) -> str:
        if attempt.state == OPEN:
            attempt.state = CLOSED
        return "ok"

    # money back

    def refund(self, deal: Deal, key: str, amount: int | None, *, to: str) -> str:
        known = [deal.refunds[each] for each in (key, f"{key}#2") if each in deal.refunds]
        if known:
            whole = sum(refund.amount for refund in known)
            return "ok" if amount in (None, whole) else "idempotency_key_reused"
        if deal.state not in (QUEUED, DELIVERED):
            return "order_state_forbids"
        left = deal.total - deal.refunded
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            return "refund_too_large"
        if deal.waits and amount != deal.total:
            return "refund_whole_only"
        if (to == "wallet" and not deal.buyer) or (to == "source" and deal.paid_from == "wallet"):
            return "refund_route_missing"
        parts = self._divide(deal, amount, to)
        refunds = self._plan(deal, parts, to)
        for refund in refunds:
            if refund.to == "source" and not self.partial:
                assert refund.by
                if refund.rest != refund.by.received:
                    return "refund_route_missing"
        for number, refund in enumerate(refunds):
            self._carry_out(deal, f"{key}#2" if number else key, refund)
        return "ok"

    def _divide(self, deal: Deal, amount: int, to: str) -> list[tuple[int, Attempt | None]]:
        """By which payment how much goes back: by the last one first, then by the first."""
        if to != "source" or deal.first is None:
            return [(amount, deal.paid_by)]
        room = deal.total - deal.part - deal.first_amount - self._sent_by(deal, deal.paid_by)
        last = min(amount, max(room, 0))
        parts = [(last, deal.paid_by), (amount - last, deal.first)]
        return [part for part in parts if part[0]]

    def _sent_by(self, deal: Deal, attempt: Attempt | None) -> int:
        rows = [r for r in deal.refunds.values() if r.to == "source" and r.by is attempt]
        return sum(refund.rest - refund.surcharge for refund in rows)

    def _plan(self, deal: Deal, parts: list[tuple[int, Attempt | None]], to: str) -> list[Refund]:
        refunds, before = [], deal.refunded
        for amount, by in parts:
            surcharge = self._surcharge_back(deal, before + amount)
            refund = Refund(amount=amount, to=to, state="waiting", by=by)
            refund.surcharge = surcharge - self._surcharge_back(deal, before)
            if to == "wallet":
                refund.by_wallet = amount + refund.surcharge
            elif to == "source":
                came = deal.first_amount
                if by is deal.paid_by:
                    came = deal.total - deal.part - deal.first_amount
                refund.by_wallet = max(amount - (came - self._sent_by(deal, by)), 0)
                if not refund.rest:
                    refund.to = "wallet"
            before += amount
            refunds.append(refund)
        return refunds

    def _carry_out(self, deal: Deal, key: str, refund: Refund) -> None:
        self._reverse(deal, refund.amount)
        deal.refunds[key] = refund
        self.move("suspense", f"wallet {deal.buyer}", refund.by_wallet)
        if refund.to == "hand":
            self.move("suspense", "outside", refund.rest)
        if refund.to == "source":
            assert refund.by
            self._send_back(refund.by, refund.rest, refund)
        else:
            self._finish(deal, refund)

    def _surcharge_back(self, deal: Deal, refunded: int) -> int:
        """In proportion, whole fen, down; all of it with the last of the goods."""
        if refunded == deal.total:
            return deal.surcharge
        return deal.surcharge * refunded // deal.total // 100 * 100

    def _reverse(self, deal: Deal, amount: int) -> None:
        before, deal.refunded = deal.refunded, deal.refunded + amount
        accounts = {"sales", "margin", f"fees {deal.paid_from}", "takings", "prepaid"}
        if deal.first:
            accounts.add(f"fees {deal.first.gateway}")
        for account in accounts:
            back = self._given_back(deal, deal.refunded)[account]
            self.move(account, "suspense", back - self._given_back(deal, before)[account])
        if deal.refunded == deal.total:
            deal.go(REFUNDING)
            self.stock += (0 if deal.seen else deal.sold) + deal.held
            deal.sold = deal.held = 0

    def _given_back(self, deal: Deal, amount: int) -> Counter[str]:
        """Of so much given back in all: first the gateway's share, then the main site's.

        Where the wholesale price was prepaid, its share goes from the main site to that balance,
        beside what the operator's takings give back (below zero: an account that gets).
        """
        back: Counter[str] = Counter()
        fees, surcharge = f"fees {deal.paid_from}", self._surcharge_back(deal, amount)
        by_fee = surcharge * deal.surcharge_fee // deal.surcharge if deal.surcharge else 0
        back[fees] += by_fee
        back["takings" if self.prepaid else "sales"] += surcharge - by_fee
        if self.prepaid:
            fee = amount * deal.fee // deal.total
            self._give_fee_back(deal, back, fee)
            back["takings"] += amount - fee
            wholesale = 0 if deal.waits else deal.own * amount // deal.total
            back["sales"] += wholesale
            back["prepaid"] -= wholesale
            return back
        main, margin, fee = self._parts(deal)
        by_gateway = amount * fee // deal.total
        rest, others = amount - by_gateway, main + margin
        by_main = rest * main // others if others else 0
        back["sales"] += by_main
        back["margin"] += rest - by_main
        self._give_fee_back(deal, back, by_gateway)
        return back

    def _give_fee_back(self, deal: Deal, back: Counter[str], fee: int) -> None:
        """Of a fee that comes back, the first payment's gateway gives its share, rounded down."""
        first = deal.first_fee * fee // deal.fee if deal.first and deal.first_fee else 0
        back[f"fees {deal.paid_from}"] += fee - first
        if deal.first:
            back[f"fees {deal.first.gateway}"] += first

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
            assert refund.by
            refund.state = "waiting"
            self._send_back(refund.by, refund.rest, refund)
            return "ok"
        account = f"wallet {deal.buyer}" if way == "wallet" else "outside"
        self.move("suspense", account, refund.rest)
        refund.to = way
        if way == "wallet":
            refund.by_wallet = refund.amount + refund.surcharge
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
        self.move("takings" if self.prepaid else "sales", f"fees {gateway}", fee)
