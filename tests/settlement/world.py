"""Acts around settlement that many tests share, as their people do them."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import site_account_amount
from kameng.orders.models import Order
from kameng.orders.services.placing import PlacedOrder
from kameng.settlement.claims import Claim, find_terms, read_claim, site_owner
from kameng.settlement.models import (
    AccountKind as PayoutKind,
)
from kameng.settlement.models import PayoutAccount, Source, Split, SplitReturn, Withdrawal
from kameng.settlement.services.accounts import AccountWish, add_payout_account
from kameng.settlement.services.planning import plan_splits
from kameng.settlement.services.receivers import ReceiverWish, add_split_receiver
from kameng.settlement.services.requesting import WithdrawalWish, request_withdrawal
from kameng.settlement.services.reviewing import approve_withdrawal
from kameng.settlement.services.terms import TermsWish, change_terms
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, notify, order, payment_of

LIN = Actor(kind="user", actor_id=101, name="Lin")
ADA = Actor(kind="user", actor_id=1, name="Ada")
BEN = Actor(kind="user", actor_id=2, name="Ben")
PLAIN = TermsWish(
    hold_hours=0,
    minimum_amount=100,
    maximum_amount=500_000_000,
    day_limit_amount=1_000_000_000,
    month_limit_amount=10_000_000_000,
    fee_bps=0,
    fee_minimum_amount=0,
    tax_bps=0,
    withholds_tax=False,
    second_amount=100_000_000,
    large_amount=200_000_000,
    cooling_hours=0,
)
_keys = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Site A and its main site."""

    shop: Shop
    main: Site

    @property
    def site(self) -> Site:
        """The sub-site."""
        return self.shop.site

    def set_terms(self, **changes: Any) -> None:
        """Let the main site set plain terms for all, changed as told."""
        with site_scope(self.main.id):
            change_terms(site_id=self.main.id, wish=replace(PLAIN, **changes), actor=ADA)

    def settle_by(self, way: SettlementWay) -> None:
        """Settle the sub-site in a way."""
        Site.objects.filter(id=self.site.id).update(settlement_way=way)

    def sell(self, *, is_held: bool = False, hours_ago: int = 1) -> PlacedOrder:
        """Sell one piece through the gateway, so many hours ago; it is delivered at once."""
        placed = order(self.shop)
        payment = payment_of(self.shop, placed)
        if is_held:
            with site_scope(self.site.id):
                type(payment).objects.filter(id=payment.id).update(will_split=True)
        assert notify(self.shop, payment).accepted
        self.age(placed, hours_ago)
        return placed

    def age(self, placed: PlacedOrder, hours: int) -> None:
        """Move an order so many hours into the past."""
        import datetime as dt

        with site_scope(self.site.id):
            found = Order.objects.get(id=placed.order_id)
            back = dt.timedelta(hours=hours)
            Order.objects.filter(id=found.id).update(
                paid_at=found.paid_at - back, delivered_at=found.delivered_at - back
            )

    def margin(self) -> int:
        """Return what the ledger says is the sub-site's."""
        return self.amount(AccountKind.SITE_MARGIN, self.site.id)

    def amount(self, kind: AccountKind, owner_id: int) -> int:
        """Return the balance of an account."""
        with platform_scope("a test reads a balance"):
            return site_account_amount(kind, owner_id=owner_id)

    def claim(self, source: Source = Source.MARGIN) -> Claim:
        """Return the claim as the sub-site sees it."""
        with site_scope(self.site.id) as view:
            return read_claim(site_owner(), source, terms=find_terms(view))

    def add_account(self, account: str = "lin@example.com", **more: Any) -> PayoutAccount:
        """Let Lin enter a payout account."""
        values = {"kind": PayoutKind.ALIPAY, "account": account, "name": "林小满"} | more
        with site_scope(self.site.id):
            return add_payout_account(owner=site_owner(), wish=AccountWish(**values), actor=LIN)

    def ask(self, amount: int, account: PayoutAccount, **more: Any) -> Withdrawal:
        """Let Lin ask for a withdrawal."""
        wish = WithdrawalWish(
            **{
                "source": Source.MARGIN,
                "amount": amount,
                "account_id": account.id,
                "idempotency_key": f"w-{next(_keys)}",
            }
            | more
        )
        with site_scope(self.site.id):
            return request_withdrawal(owner=site_owner(), wish=wish, actor=LIN)

    def approve(
        self,
        withdrawal: Withdrawal,
        actor: Actor = ADA,
        *,
        seen: bool = True,
        read: list[str] | None = None,
    ) -> Withdrawal:
        """Let a person of the main site say yes; by what the page says now, or another said."""
        shown = self.fresh(withdrawal).risk_codes if read is None else read
        with site_scope(self.main.id):
            return approve_withdrawal(
                withdrawal_no=withdrawal.withdrawal_no,
                risks_read=shown if seen else [],
                actor=actor,
            )

    def fresh(self, row: Any) -> Any:
        """Return a row as it stands now."""
        with platform_scope("a test looks"):
            return type(row).unscoped.get(pk=row.pk)

    def add_receiver(self, account: str = "1900000109") -> Any:
        """Let Lin enter who gets the shares."""
        wish = ReceiverWish(
            gateway_id=self.shop.choice.gateway_id, kind="merchant", account=account, name="林记"
        )
        with site_scope(self.site.id):
            return add_split_receiver(wish=wish, actor=LIN)

    def plan(self, *placed: PlacedOrder) -> int:
        """Plan the splits of orders, as the reader of events does."""
        with platform_scope("a test plans"):
            return plan_splits([each.order_id for each in placed])

    def split_of(self, placed: PlacedOrder) -> Split:
        """Return the split of an order."""
        with platform_scope("a test looks"):
            found: Split = Split.unscoped.get(order_id=placed.order_id)
        return found

    def returns(self) -> list[SplitReturn]:
        """Return every return of a share."""
        with platform_scope("a test looks"):
            return list(SplitReturn.unscoped.order_by("id"))

    def make_due(self, model: Any) -> None:
        """Let what waits for its time be due."""
        with platform_scope("a test makes due"):
            model.unscoped.filter(next_attempt_at__isnull=False).update(
                next_attempt_at="2020-01-01T00:00:00Z"
            )
