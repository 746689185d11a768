"""Does each operation twice, in the program and in the model, and compares all after each."""

import copy
import datetime as dt
from typing import Any

import pytest

from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id, wallet_of
from kameng.ledger.services import adjust_wallet
from kameng.ledger.store import balance_of
from kameng.orders.models import Order, OrderRefund, RefundTo
from kameng.orders.services import paying
from kameng.orders.services.closing import cancel_order, expire_orders
from kameng.orders.services.delivering import collect_goods
from kameng.orders.services.paying import pay_from_wallet
from kameng.orders.services.refunding import RefundWish, refund_order, settle_refused_refund
from kameng.orders.services.shortfalls import (
    ask_rest,
    choose_rest,
    end_shortfalls,
    pay_rest_from_wallet,
)
from kameng.orders.services.waiting import deliver_waiting
from kameng.payments.models import GatewayRefund, Payment, Shortfall, TopUp
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import (
    Confirmation,
    PaidStatus,
    RefundOutcome,
    RefundStatus,
)
from kameng.payments.services.deciding import give_back_mismatched, note_returned_by_hand
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.prepaying import adjust_prepaid, set_credit_line
from kameng.payments.services.querying import query_payment
from kameng.payments.services.refunding import ask_refund
from kameng.payments.services.shortfalls import ShortfallWish
from kameng.pricing.money import Amount
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, Shop, connect_gateway, count, notify, order, price_of
from tests.factories import fund_wallet, make_card_keys, make_customer, make_product, make_variant
from tests.ledger.model import CANCELLED, EXPIRED, Attempt, Back, Deal, Model

GATEWAYS = ("x", "y")
RECORD = "select count(*) from inventory_cardkey where "


class Gatekeeper:
    """What the gateways answer when they are asked; the histories set it before each question."""

    def __init__(self, patch: pytest.MonkeyPatch, *, partial: bool) -> None:
        self.paid = 0
        self.said = 0  # what the callback said: about its own numbers the gateway says the same
        self.refund = RefundStatus.DONE
        patch.setattr(EpayProvider, "query", self._query)
        patch.setattr(EpayProvider, "close", lambda *_: PaidStatus.CLOSED)
        patch.setattr(EpayProvider, "refund", lambda *_: RefundOutcome(status=self.refund))
        patch.setattr(
            EpayProvider, "query_refund", lambda *_: RefundOutcome(status=RefundStatus.UNKNOWN)
        )
        patch.setattr(EpayProvider, "supports_partial_refund", partial)

    def _query(self, _config: object, payment_no: str, *, external_no: str = "") -> Confirmation:
        amount = self.said if external_no else self.paid
        return Confirmation(
            payment_no=payment_no,
            external_no=external_no or f"E{payment_no}",
            amount=Amount(amount),
            status=PaidStatus.PAID if amount else PaidStatus.PENDING,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        )


class Driver:
    """One shop in the database and one in the model."""

    def __init__(
        self,
        main: Site,
        site: Site,
        gatekeeper: Gatekeeper,
        *,
        list_amount: int = 103_700,
        stock: int = 6,
        partial: bool = False,
        by_buyer: bool = False,
        prepaid: bool = False,
        credit: int = 0,
    ) -> None:
        self.main, self.site, self.gatekeeper = main, site, gatekeeper
        # The caps per person are no matter of money: the model has none.
        Site.objects.filter(id=site.id).update(
            settings={"open_orders_limit": 100, "reserve_share_bps": 10_000}
        )
        variant = make_variant(make_product(main), cost_amount=91_230, list_amount=list_amount)
        make_card_keys(variant, stock)
        payers = frozenset({"y"} if by_buyer else ())
        if prepaid:
            Site.objects.filter(id=site.id).update(settlement_way=SettlementWay.PREPAID)
        self.choices = {
            name: connect_gateway(site if prepaid else main, by_buyer=name in payers)
            for name in GATEWAYS
        }
        self.shop = Shop(site=site, variant=variant, choice=self.choices["x"])
        self.people = {name: make_customer(site) for name in ("mei", "tom")}
        self.model = Model(
            price=price_of(self.shop),
            own=100_353,
            fee_bps=60,
            stock=stock,
            partial=partial,
            by_buyer=payers,
            prepaid=prepaid,
            credit=credit,
        )
        if credit:
            with site_scope(site.id):
                set_credit_line(site_id=site.id, amount=credit, reason="信任", actor=STAFF)
        self.orders: list[int] = []  # beside model.deals
        self.payments: dict[int, Payment] = {}  # by number of the attempt
        self.asked: list[int] = []  # beside model.backs
        self.written: list[str] = []

    def fund(self, buyer: str, amount: int) -> None:
        fund_wallet(self.people[buyer], amount)
        self.model.move("outside", f"wallet {buyer}", amount)

    # operations: the program's answer, then the model's

    def place(
        self, buyer: str, pieces: int, *, by_wallet: bool, gateway: str = "x", part: int = 0
    ) -> None:
        def act() -> None:
            shop = Shop(site=self.site, variant=self.shop.variant, choice=self.choices[gateway])
            placed = order(
                shop,
                customer=self.people[buyer] if buyer else None,
                by_wallet=by_wallet,
                quantity=pieces,
                wallet_part=part,
            )
            self.orders.append(placed.order_id)

        wanted = self.model.place(buyer, pieces, by_wallet=by_wallet, gateway=gateway, part=part)
        self._same(f"place {buyer} {pieces} {by_wallet} {gateway} {part}", act, wanted)

    def open_attempt(self, deal: Deal, gateway: str, part: int | None = None) -> None:
        def act() -> None:
            paying._open_another(self._order(deal).id, self.choices[gateway], wallet_part=part)

        wanted = self.model.open_attempt(deal, gateway, part)
        self._same(f"open {self._name(deal)} {gateway} {part}", act, wanted)

    def prepay(self, amount: int) -> None:
        """Staff of the main site correct the prepaid balance; what waits for it goes out."""

        def act() -> None:
            adjust_prepaid(site_id=self.site.id, amount=amount, reason="更正", actor=STAFF)

        self._same(f"prepay {amount}", act, self.model.prepay(amount))
        self._same("resume", lambda: deliver_waiting(self.site.id), self.model.resume())

    def pay(self, deal: Deal, attempt: Attempt, *, external: str = "", short: int = 0) -> None:
        payment = self.payments[attempt.number]
        external = external or f"E{payment.payment_no}"
        said: list[Any] = []

        def act() -> None:
            self.gatekeeper.said = amount = payment.amount - short
            said.append(notify(self.shop, payment, external_no=external, amount=amount))

        wanted = self.model.pay(deal, attempt, external, short=short)
        self._same(f"pay {self._name(deal)} {attempt.gateway} {external} -{short}", act, "ok")
        assert said[0].accepted == (wanted == "ok"), self.story()

    def pay_from_wallet(self, deal: Deal) -> None:
        def act() -> None:
            buyer = self.people[deal.buyer].id if deal.buyer else 0
            pay_from_wallet(order=self._order(deal), customer_id=buyer)

        if deal.buyer:
            # The program looks at the wallet first, which is a matter of words alone.
            short = self.model.wallet(deal.buyer) + deal.part < deal.total
            wanted = "not_enough_money" if short else self.model.pay_from_wallet(deal)
            self._same(f"wallet {self._name(deal)}", act, wanted)

    def cancel(self, deal: Deal) -> None:
        def act() -> None:
            cancel_order(order=self._order(deal), actor=STAFF)

        self._same(f"cancel {self._name(deal)}", act, self.model.close(deal, CANCELLED))

    def expire(self, deal: Deal) -> None:
        def act() -> None:
            Order.objects.filter(id=self._order(deal).id).update(expires_at="2020-01-01T00:00Z")
            with platform_scope("expire"):
                expire_orders()

        self.model.close(deal, EXPIRED)
        self._same(f"expire {self._name(deal)}", act, "ok")

    def close_at_gateway(self, deal: Deal, attempt: Attempt) -> None:
        def act() -> None:
            payment = self.payments[attempt.number]
            Payment.objects.filter(id=payment.id).update(expires_at="2020-01-01T00:00Z")
            self.gatekeeper.paid = 0
            query_payment(payment.id)

        self.model.close_attempt(attempt)
        self._same(f"close {self._name(deal)} {attempt.gateway}", act, "ok")

    def look(self, deal: Deal) -> None:
        def act() -> None:
            assert len(collect_goods(self._order(deal), by_buyer=True)) == deal.sold

        if deal.sold:
            deal.seen = True
        self._same(f"look {self._name(deal)}", act, "ok")

    def refund(self, deal: Deal, key: str, amount: int | None, *, to: str) -> None:
        def act() -> None:
            refund_order(
                order_id=self._order(deal).id,
                wish=RefundWish(
                    amount=amount,
                    refund_to=RefundTo[to.upper()],
                    reason="不要了",
                    idempotency_key=key,
                ),
                actor=STAFF,
            )

        wanted = self.model.refund(deal, key, amount, to=to)
        self._same(f"refund {self._name(deal)} {key} {amount} {to}", act, wanted)

    def answer(self, back: Back, *, done: bool) -> None:
        def act() -> None:
            self.gatekeeper.refund = RefundStatus.DONE if done else RefundStatus.REFUSED
            place = next(i for i, other in enumerate(self.model.backs) if other is back)
            ask_refund(self.asked[place])

        self._same(f"answer {back.amount} {done}", act, self.model.answer(back, done=done))

    def decide(self, deal: Deal, key: str, way: str) -> None:
        def act() -> None:
            found = OrderRefund.objects.get(order_id=self._order(deal).id, idempotency_key=key)
            settle_refused_refund(refund_id=found.id, way=way, reason="查明", actor=STAFF)

        wanted = self.model.decide(deal, deal.refunds[key], way)
        self._same(f"decide {self._name(deal)} {key} {way}", act, wanted)

    def give_back(self, deal: Deal, attempt: Attempt, *, by_hand: bool) -> None:
        def act() -> None:
            decide = note_returned_by_hand if by_hand else give_back_mismatched
            payment_id = self.payments[attempt.number].id
            decide(payment_id=payment_id, reason="查明", actor=STAFF)

        wanted = self.model.give_back(attempt, by_hand=by_hand)
        self._same(f"give back {self._name(deal)} {attempt.number} {by_hand}", act, wanted)

    def ask_rest(self, deal: Deal, attempt: Attempt) -> None:
        def act() -> None:
            wish = ShortfallWish(hold_seconds=3600, reason="少付")
            ask_rest(payment_id=self.payments[attempt.number].id, wish=wish, actor=STAFF)

        wanted = self.model.ask_rest(deal, attempt)
        self._same(f"ask rest {self._name(deal)} {attempt.number}", act, wanted)

    def open_rest(self, deal: Deal, gateway: str) -> None:
        def act() -> None:
            choose_rest(order=self._order(deal), choice=self.choices[gateway])

        wanted = self.model.open_rest(deal, gateway)
        self._same(f"open rest {self._name(deal)} {gateway}", act, wanted)

    def pay_rest_from_wallet(self, deal: Deal) -> None:
        def act() -> None:
            pay_rest_from_wallet(order=self._order(deal))

        wanted = self.model.pay_rest_from_wallet(deal)
        self._same(f"wallet rest {self._name(deal)}", act, wanted)

    def end_rests(self) -> None:
        """Let the time of all wishes be over, in the order in which they were made."""

        def act() -> None:
            for shortfall in Shortfall.objects.filter(state=1):
                over = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=shortfall.id)
                Shortfall.objects.filter(id=shortfall.id).update(expires_at=over)
            end_shortfalls()

        self._same("end rests", act, self.model.end_rests())

    def adjust(self, buyer: str, amount: int) -> None:
        def act() -> None:
            adjust_wallet(
                site_id=self.site.id,
                customer_id=self.people[buyer].id,
                amount=amount,
                reason="更正",
                actor=STAFF,
            )

        self._same(f"adjust {buyer} {amount}", act, self.model.adjust(buyer, amount))

    def top_up(self, buyer: str, gateway: str, amount: int) -> None:
        def act() -> None:
            choice, customer = self.choices[gateway], self.people[buyer].id
            key = str(len(self.written))
            _row, payment = start_top_up(
                customer_id=customer, amount=amount, choice=choice, idempotency_key=key
            )
            self.gatekeeper.paid = amount
            for _ in range(2):
                external = f"E{payment.payment_no}"
                assert notify(self.shop, payment, external_no=external).accepted
            assert TopUp.objects.get(id=payment.subject_id).credited_at

        fee = (amount * 60 + 500_000) // 1_000_000 * 100
        self.model.top_up(buyer, gateway, amount, fee)
        self._same(f"top up {buyer} {gateway} {amount}", act, "ok")

    # comparing

    def _same(self, name: str, act: Any, wanted: str) -> None:
        self.written.append(name)
        with site_scope(self.site.id):
            try:
                act()
                said = "ok"
            except Refusal as refusal:
                said = refusal.code
            assert said == wanted, self.story()
            self._note_attempts()
            if len(self.asked) < len(self.model.backs):
                rows = GatewayRefund.objects.order_by("id").values_list("id", flat=True)
                self.asked.extend(list(rows)[len(self.asked) :])
        self.compare()

    def compare(self) -> None:
        with site_scope(self.site.id):
            for deal, row in zip(self.model.deals, self._rows(), strict=True):
                seen = (row.state, row.path, row.total_amount, row.wholesale_amount)
                assert seen == (deal.state, deal.path, deal.total, deal.own), self.story()
                seen = (row.refunded_amount, row.fee_amount, row.paid_by > 0)
                assert seen == (deal.refunded, deal.fee, bool(deal.paid_from)), self.story()
                seen = (row.wallet_amount, row.surcharge_amount, row.awaits_prepaid)
                assert seen == (deal.part, deal.surcharge, deal.waits), self.story()
                seen = (row.first_amount, row.first_fee_amount)
                assert seen == (deal.first_amount, deal.first_fee), self.story()
            for deal in self.model.deals:
                for attempt in deal.attempts:
                    self._compare_attempt(attempt)
            refunds = GatewayRefund.objects.order_by("id").values_list("amount", "state")
            names = {1: "waiting", 2: "done", 3: "refused"}
            assert [(amount, names[state]) for amount, state in refunds] == [
                (back.amount, back.state) for back in self.model.backs
            ], self.story()
        wanted = {name: amount for name, amount in self.model.accounts.items() if amount}
        assert self._accounts() == wanted, self.story()
        self._compare_keys()

    def _compare_attempt(self, attempt: Attempt) -> None:
        row = Payment.objects.get(id=self.payments[attempt.number].id)
        assert (row.state, row.amount, row.received_amount or 0, row.refunded_amount) == (
            attempt.state,
            attempt.amount,
            attempt.received,
            attempt.sent_back,
        ), self.story()

    def _compare_keys(self) -> None:
        deals = self.model.deals
        assert count(RECORD + "state = 0") == self.model.stock, self.story()
        assert count(RECORD + "state = 1") == sum(deal.held for deal in deals), self.story()
        assert count(RECORD + "state = 2") == sum(deal.sold for deal in deals), self.story()

    def _accounts(self) -> dict[str, int]:
        """Return every account that is not empty, by the model's names."""
        kinds = AccountKind
        numbers = {
            "sales": account_id(kinds.SALES, self.main.id),
            "margin": account_id(kinds.SITE_MARGIN, self.site.id),
            "suspense": account_id(kinds.ORDER_SUSPENSE, self.site.id),
            "outside": account_id(kinds.ADJUSTMENTS, self.site.id),
            "fees wallet": account_id(kinds.GATEWAY_FEES, 0),
            "takings": account_id(kinds.SITE_TAKINGS, self.site.id),
            "prepaid": account_id(kinds.PREPAID, self.site.id),
            "outside main": account_id(kinds.ADJUSTMENTS, self.main.id),
        }
        for name, choice in self.choices.items():
            numbers[f"gateway {name}"] = account_id(kinds.GATEWAY_CLEARING, choice.gateway_id)
            numbers[f"fees {name}"] = account_id(kinds.GATEWAY_FEES, choice.gateway_id)
        for name, customer in self.people.items():
            numbers[f"wallet {name}"] = wallet_of(customer.id)
        found = {name: balance_of(number) for name, number in numbers.items()}
        assert sum(found.values()) == 0, self.story()
        return {name: amount for name, amount in found.items() if amount}

    def _rows(self) -> list[Order]:
        rows = {row.id: row for row in Order.objects.all()}
        assert len(rows) == len(self.orders), self.story()
        return [rows[order_id] for order_id in self.orders]

    def _order(self, deal: Deal) -> Order:
        return Order.objects.get(id=self.orders[self._index(deal)])

    def _index(self, deal: Deal) -> int:
        return next(i for i, other in enumerate(self.model.deals) if other is deal)

    def _note_attempts(self) -> None:
        """Remember which payment stands for which attempt of the model."""
        for deal, order_id in zip(self.model.deals, self.orders, strict=True):
            if all(attempt.number in self.payments for attempt in deal.attempts):
                continue
            rows = list(Payment.objects.filter(subject_id=order_id, purpose=1).order_by("id"))
            assert len(rows) == len(deal.attempts), self.story()
            for row, attempt in zip(rows, deal.attempts, strict=True):
                self.payments[attempt.number] = row

    def _name(self, deal: Deal) -> str:
        return f"#{self._index(deal)}"

    def keep(self) -> tuple[Any, ...]:
        """Return all that the driver knows, to go back to when the database is rolled back."""
        rest = (self.orders, self.payments, self.asked, self.written)
        return copy.deepcopy(self.model), *map(copy.copy, rest)

    def go_back(self, kept: tuple[Any, ...]) -> None:
        """Know again what was known at `keep`."""
        self.model, self.orders, self.payments, self.asked, self.written = kept

    def story(self) -> str:
        """Tell what was done, for the message of a failed comparison."""
        return "after:\n  " + "\n  ".join(self.written)
