"""What ought to happen to top-ups, bonuses and returns, written again from the rules.

Knows nothing of the program. Spending is followed coin by coin: each coin knows where it came from,
and is spent in the order of the rule; the program measures from the balance instead.
"""

from dataclasses import dataclass, field

FEN = 100


@dataclass
class Filling:
    """One credited top-up: its principal still in the wallet, its bonus still in it."""

    principal: int
    bonus: int
    paid: int
    given: int
    back: int = 0


@dataclass
class Wallet:
    """A wallet whose money remembers where it came from."""

    cap: int
    other: int = 0
    fillings: list[Filling] = field(default_factory=list)

    @property
    def held(self) -> int:
        return self.other + sum(each.principal + each.bonus for each in self.fillings)

    def fill(self, amount: int, bonus: int) -> bool:
        """Put money in, unless it would not fit."""
        if self.held + amount + bonus > self.cap:
            return False
        self.fillings.append(Filling(principal=amount, bonus=bonus, paid=amount, given=bonus))
        return True

    def receive(self, amount: int) -> None:
        """Get money that is no top-up: it fills what was spent, last spent first.

        Principal that a refund makes whole again is principal again: the rule measures balances.
        """
        pots = [(each, kind) for each in self.fillings[::-1] for kind in ("bonus", "principal")]
        for filling, kind in pots:
            full = self._full(filling, kind)
            room = min(amount, full - getattr(filling, kind))
            setattr(filling, kind, getattr(filling, kind) + room)
            amount -= room
        self.other += amount

    @staticmethod
    def _full(filling: Filling, kind: str) -> int:
        if kind == "principal":
            return filling.paid - filling.back
        return filling.given - revoked(filling.given, filling.back, filling.paid)

    def spend(self, amount: int) -> bool:
        """Spend: other money, then the oldest top-up, its principal before its bonus."""
        if amount > self.held:
            return False
        taken = min(amount, self.other)
        self.other, amount = self.other - taken, amount - taken
        for filling in self.fillings:
            for kind in ("principal", "bonus"):
                part = min(amount, getattr(filling, kind))
                setattr(filling, kind, getattr(filling, kind) - part)
                amount -= part
        return True

    def give_back(self, number: int, amount: int) -> bool:
        """Return unused principal of one top-up with its part of the bonus."""
        filling = self.fillings[number]
        if not 0 < amount <= filling.principal:
            return False
        before = revoked(filling.given, filling.back, filling.paid)
        filling.back += amount
        filling.principal -= amount
        filling.bonus -= revoked(filling.given, filling.back, filling.paid) - before
        return True


def revoked(given: int, back: int, paid: int) -> int:
    """Return what of a bonus is taken back in all: its share, rounded up to the fen."""
    fens = -(-(given * back) // (paid * FEN))
    return min(given, fens * FEN)
