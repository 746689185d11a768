"""The real gateways behind a sub-site: the simulator plays them over loopback, nothing is faked."""

import json
from dataclasses import dataclass
from typing import Any

from kameng.core.scope import platform_scope
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.models import GatewayRefund, Payment
from kameng.payments.providers.port import PaidStatus
from kameng.payments.services.holding import open_gateways
from kameng.payments.services.paying import Payer, instruct_buyer
from kameng.payments.services.querying import query_payment
from kameng.payments.services.refunding import ask_due_refunds
from kameng.settlement.models import Split, SplitReceiver, SplitReturn
from kameng.settlement.services.receivers import (
    ReceiverWish,
    add_split_receiver,
    as_receiver,
)
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.returning import ask_due_returns
from kameng.settlement.services.splitting import ask_due_splits, free_due_payments
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import order, payment_of
from tests.providers.world import World
from tests.settlement.world import LIN, Desk

RECEIVERS = {
    "wechat": ("MERCHANT_ID", "1900000109", "林记商行"),
    "wechat person": ("PERSONAL_OPENID", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "林小满"),
    "alipay": ("userId", "2088000000000099", "林记商行"),
    "alipay by login": ("loginName", "lin@example.com", "林小满"),
    "alipay_cert": ("userId", "2088000000000099", "林记商行"),
}


@dataclass(frozen=True, kw_only=True)
class LiveDesk(Desk):
    """A sub-site whose main site takes money through one real protocol."""

    world: World
    account: str  # the word under which the simulator plays the gateway
    receiver: str  # a key of RECEIVERS

    def add_receiver(self, account: str = "", *, name: str = "") -> SplitReceiver:
        """Let Lin enter who gets the shares, at the real gateway."""
        kind, known, known_name = RECEIVERS[self.receiver]
        wish = ReceiverWish(
            gateway_id=self.shop.choice.gateway_id,
            kind=kind,
            account=account or known,
            name=name or known_name,
        )
        with site_scope(self.site.id):
            return add_split_receiver(wish=wish, actor=LIN)

    def sell(self, *, is_held: bool = False, hours_ago: int = 1) -> PlacedOrder:
        """Sell one piece, paid at the gateway, whose callback is lost: the query finds it."""
        placed = order(self.shop)
        payment = payment_of(self.shop, placed)
        payer = Payer(
            client_ip="192.0.2.1",
            device="mobile",
            notify_url="http://127.0.0.1:9/notify/",
            return_url="http://127.0.0.1:9/",
        )
        with site_scope(self.site.id):
            told = instruct_buyer(payment=payment, subject="测试点卡", payer=payer)
        if self.account != "wechat":
            self.world.browse(told.qr_text or told.url)
        self.world.pay(payment.payment_no, "lost")
        with site_scope(self.site.id):
            assert query_payment(payment.id) == PaidStatus.PAID
        self.age(placed, hours_ago)
        return placed

    def work(self) -> None:
        """Let the worker do everything that is due, once: shares, their returns, refunds."""
        for model in (Split, SplitReturn):
            self.make_due(model)
        ask_due_returns()
        reserve_due_splits()
        ask_due_splits()
        free_due_payments()

    def work_until_done(self) -> None:
        """Let the worker go round until gateways that answer late have answered."""
        for _ in range(4):
            self.work()

    def ask_refunds(self) -> None:
        """Ask the gateway for refunds that are due now, without moving any time."""
        while ask_due_refunds():
            continue

    def refund_row(self) -> GatewayRefund:
        """Return the one refund."""
        with platform_scope("a test looks"):
            found: GatewayRefund = GatewayRefund.unscoped.get()
        return found

    def at_gateway(self, placed: PlacedOrder) -> dict[str, Any]:
        """Return what the simulator knows of an order's payment."""
        payment: Payment = payment_of(self.shop, placed)
        return self.world.state(payment.payment_no)

    def moved(self, placed: PlacedOrder) -> list[tuple[str, int]]:
        """Return what was moved of an order's payment at the gateway: kind and fen."""
        rows = self.at_gateway(placed)["transfers"]
        return sorted((row["kind"], row["amount_fen"]) for row in rows)

    def sent(self, payout_no: str) -> list[Any]:
        """Return the payouts at the gateway under our number."""
        rows = self.world.simulator.moves.list_transfers(self.account, kind="payout")
        return [row for row in rows if row.own_no == payout_no]

    def receivers(self) -> list[SplitReceiver]:
        """Return every receiver that was ever entered."""
        with platform_scope("a test looks"):
            return list(SplitReceiver.unscoped.order_by("id"))

    def known_at_gateway(self) -> list[str]:
        """Return the accounts that the gateway would hand a share to."""
        name = "wechat_receivers" if self.account == "wechat" else f"{self.account}_relations"
        known = json.loads(self.world.simulator.store.remember(name, lambda: "{}"))
        return [key.rpartition(" ")[2] for key in known]

    def forget_at_gateway(self, receiver: SplitReceiver) -> None:
        """Let the gateway forget a receiver behind the shop's back."""
        gateway = open_gateways([receiver.gateway_id])[receiver.gateway_id]
        gateway.provider.remove_receiver(gateway.config, as_receiver(receiver))

    def finish_refunds(self) -> None:
        """Ask again for refunds that the gateway had not finished at the first answer."""
        self.make_due(GatewayRefund)
        self.ask_refunds()

    def break_call(self, fault: str, *, after: int = 0) -> None:
        """Let the gateway fail at a coming call."""
        self.world.break_call(self.account, fault, after=after)
