"""The life of one shop of the demo, told in order of time through the real services.

Buyers join, top up, order, pay, give up; staff deliver, swap keys, refund. The clock of this
thread stands at each moment; what PostgreSQL stamps itself is put right afterwards (`dating`), by
the moments noted in a `Diary`.
"""

import datetime as dt
import hashlib
import heapq
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from kameng.accounts.services.registering import register_customer
from kameng.catalog.inputs import InputKind
from kameng.catalog.models import DeliveryKind
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import ProductView, VariantView
from kameng.config.demo import crowd, prepaying, rhythm
from kameng.config.demo.crowd import Customer
from kameng.config.demo.diary import Diary
from kameng.config.demo.files import DemoFiles
from kameng.config.demo.gateways import Simulator
from kameng.config.demo.shops import Shop
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.scope import open_scope
from kameng.inventory.claims import open_keys
from kameng.orders.errors import (
    KeyNotReplaceable,
    NotEnoughMoney,
    OutOfStock,
    ShopPaused,
    TooManyOpenOrders,
)
from kameng.orders.models import Order, OrderRefund, RefundTo
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.delivering import (
    collect_goods,
    deliver_by_hand,
    replace_cards,
    resend_goods,
    write_note,
)
from kameng.orders.services.placing import Buyer, PlacedOrder, Wish, place_order
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.orders.services.settling import switch_settlement
from kameng.payments.choosing import find_known_gateway
from kameng.payments.models import GatewayRefund, Payment, Purpose
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.selectors import PayChoice, find_open_payment, list_pay_choices
from kameng.payments.services.confirming import confirm_payment
from kameng.payments.services.holding import flag_for_split
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.refunding import ask_refund
from kameng.pricing.money import Amount
from kameng.risk.services import assess_checkout
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, get_site_view, scope_of

UNNAMED_CAP = 10_000_000  # what the wallet of a customer without a known name may hold
TOP_UPS = (200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)
GATEWAY_WEIGHTS = {"native": 44, "wxpay": 6, "qr": 24, "wap": 14, "page": 6, "qqpay": 6}
OTHER_WEIGHT = 6  # of a way to pay that is not named above
MOST_EXPENSIVE = 30_000_000
AWAY = dt.timedelta(minutes=50)  # nobody has delivered by hand for so long
COMPLAINTS = ("买家反馈卡密已被使用", "重复购买，协商退款", "账号填写有误，未充值", "超时未到账")
REMARKS = ("已电话核对账号", "老客户，优先处理", "买家要求晚上八点后充值", "已发使用教程截图")
FAULTS = ("充值时提示密码错误", "提示该卡已使用", "卡号少一位，已核实")


@dataclass(slots=True, kw_only=True)
class Life:
    """One shop while its history is told."""

    shop: Shop
    main: Shop
    files: DemoFiles
    diary: Diary
    simulator: Simulator
    rng: Random
    customers: list[Customer]
    password: str
    ends_at: dt.datetime
    view: SiteView = field(init=False)
    joined: list[Customer] = field(default_factory=list)
    guests: list[tuple[str, str]] = field(default_factory=list)
    plans: list[tuple[dt.datetime, int, Callable[[], None]]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    shelf: list[tuple[ProductView, str, float]] = field(default_factory=list)
    accounts: dict[tuple[str, str], str] = field(default_factory=dict)

    def open(self) -> None:
        """Read what the shop sells and plan who joins when."""
        self.view = get_site_view(self.shop.site_id)
        self.accounts = {  # of the simulator, by kind and name of the way to pay
            (row["kind"], row["name"]): row["account"]
            for row in self.files.shops["gateways"]
            if "account" in row
        }
        with open_scope(scope_of(self.view)):
            catalogue = get_catalogue(self.view)
        names = {each.id: each.name for each in catalogue.categories}
        loves: Mapping[str, float] = self.shop.plan.get("loves", {})
        for product in catalogue.products:
            name = names[product.category_id]
            heat = self.files.goods[product.code].heat * loves.get(name, 1.0)
            self.shelf.append((product, name, heat))
        for customer in self.customers:
            self.plan(customer.joined_at, partial(self._join, customer))
        self.customers = []
        self._plan_settlement()

    def plan(self, moment: dt.datetime, act: Callable[[], None]) -> None:
        """Let something happen at a moment."""
        heapq.heappush(self.plans, (moment, next(self.numbers), act))

    def live_until(self, moment: dt.datetime) -> None:
        """Let everything happen that is planned up to a moment."""
        with open_scope(scope_of(self.view)):
            while self.plans and self.plans[0][0] <= moment:
                at, _number, act = heapq.heappop(self.plans)
                with clock.standing_at(at):
                    act()

    def plan_last_hour(self) -> None:
        """Leave what an operator finds on opening the console: orders that wait for a person."""
        for minutes in (4, 19, 33, 41):
            moment = self.ends_at - dt.timedelta(minutes=minutes, seconds=self.rng.randrange(60))
            self.plan(moment, lambda: self.visit(by_hand=True))

    def _plan_settlement(self) -> None:
        """Plan how the operator comes to his share, where it is not by claims alone."""
        begins_at = self.ends_at - dt.timedelta(days=rhythm.DAYS)
        if self.view.settlement_way == SettlementWay.PREPAID:
            self.plan(begins_at, self._begin_prepaid)
            for day in range(1, rhythm.DAYS):
                self.plan(begins_at + dt.timedelta(days=day), self._pay_in)
        split_days = self.shop.plan.get("split_days")
        if split_days:
            self.plan(self.ends_at - dt.timedelta(days=split_days), self._begin_splits)

    def _begin_prepaid(self) -> None:
        first = prepaying.book_first(self.shop, main=self.main)
        self.diary.note_prepaid(first.id, at=clock.now())

    def _pay_in(self) -> None:
        """Pay wholesale in ahead where little is left of it."""
        is_late = clock.now() > self.ends_at - prepaying.LAST_DAYS
        begun = prepaying.pay_in(self.shop, main=self.main, is_late=is_late)
        if begun is not None:
            paid_in, payment, choice = begun
            self._confirm(payment, choice, subject="预存货款")
            self.diary.note_prepaid(paid_in.id, at=clock.now())

    def _begin_splits(self) -> None:
        """From now on the gateway hands the operator his share itself, where it can."""
        switch_settlement(
            site_id=self.shop.site_id,
            way=SettlementWay.SPLIT,
            reason="与分站约定，利润由支付通道直接分账",
            actor=self.main.owner,
        )
        self.view = get_site_view(self.shop.site_id)
        self.diary.note_switch(self.shop.site_id, at=clock.now())

    def visit(self, *, by_hand: bool = False) -> None:
        """Somebody buys something, by their own way; `by_hand`: what a person delivers."""
        customer = self._choose_customer()
        product, variant = self._choose_goods(customer, by_hand=by_hand)
        quantity = self._choose_quantity(product, variant)
        total = variant.unit.price_amount * quantity
        if customer is not None and customer.uses_wallet and self._fund(customer, total):
            self._buy(customer, product, variant, quantity, choice=None)
        else:
            choices = self._choices()
            weights = [GATEWAY_WEIGHTS.get(each.method, OTHER_WEIGHT) for each in choices]
            choice = self.rng.choices(choices, weights)[0]
            self._buy(customer, product, variant, quantity, choice=choice)

    def _join(self, customer: Customer) -> None:
        made = register_customer(
            login_text=customer.login, password=self.password, nickname=customer.nickname
        )
        customer.customer_id = made.id
        self.joined.append(customer)
        self.diary.note_customer(made.id, joined_at=clock.now())
        if customer.uses_wallet and self.rng.random() < 0.6:
            self._top_up(customer, self.rng.choice(TOP_UPS[:4]))  # the first: there is room

    def _choose_customer(self) -> Customer | None:
        if not self.joined or self.rng.random() < 0.27:
            return None
        weights = [each.eagerness for each in self.joined]
        return self.rng.choices(self.joined, weights)[0]

    def _choose_goods(
        self, customer: Customer | None, *, by_hand: bool
    ) -> tuple[ProductView, VariantView]:
        weights = [
            heat * (4.0 if customer and name in customer.favourites else 1.0)
            if not by_hand or product.delivery_kind != DeliveryKind.CARD
            else 0.0
            for product, name, heat in self.shelf
        ]
        product = self.rng.choices(self.shelf, weights)[0][0]
        variants = [
            each for each in product.variants if each.unit.price_amount <= MOST_EXPENSIVE
        ] or list(product.variants)
        faces = rhythm.FACE_WEIGHTS[: len(variants)]
        return product, self.rng.choices(variants, faces)[0]

    def _choose_quantity(self, product: ProductView, variant: VariantView) -> int:
        quantity: int = rhythm.pick(rhythm.QUANTITIES, rng=self.rng)
        if variant.unit.price_amount > 2_000_000:
            quantity = 1
        return max(product.min_quantity, min(quantity, product.max_quantity))

    def _fund(self, customer: Customer, total: int) -> bool:
        """Tell whether the wallet covers it, after a top-up where the customer makes one."""
        if customer.wallet_amount >= total:
            return True
        if self.rng.random() < 0.2:
            return False
        room = UNNAMED_CAP - customer.wallet_amount
        enough = [
            each for each in TOP_UPS if customer.wallet_amount + each >= total and each <= room
        ]
        if enough:
            self._top_up(customer, self.rng.choice(enough[1:4] or enough))
        return bool(enough)

    def _choices(self) -> list[PayChoice]:
        """Return the ways of the shop, each with the account whose turn it is."""
        return list_pay_choices(self.view, seed=str(next(self.numbers)))

    def _top_up(self, customer: Customer, amount: int) -> None:
        choice = self.rng.choice(self._choices())
        top_up, payment = start_top_up(
            customer_id=customer.customer_id,
            amount=amount,
            choice=choice,
            idempotency_key=secrets.token_hex(8),
        )
        self._confirm(payment, choice, subject="余额充值")
        self.diary.note_top_up(top_up.id, at=clock.now())
        customer.wallet_amount += amount

    def _buy(
        self,
        customer: Customer | None,
        product: ProductView,
        variant: VariantView,
        quantity: int,
        *,
        choice: PayChoice | None,
    ) -> None:
        buyer = self._buyer_of(customer)
        wish = Wish(
            variant_id=variant.id,
            quantity=quantity,
            answers=self._answer(product),
            shown_amount=None,
            idempotency_key=secrets.token_hex(12),
            choice=choice,
        )
        clearance = assess_checkout(site_id=self.shop.site_id, actor=buyer.actor, ip=buyer.ip)
        try:
            placed = place_order(view=self.view, buyer=buyer, wish=wish, clearance=clearance)
        except (OutOfStock, NotEnoughMoney, TooManyOpenOrders, ShopPaused):
            return
        total = variant.unit.price_amount * quantity
        if choice is None and customer is not None:
            customer.wallet_amount -= total
            self.diary.note_order(placed.order_id, placed_at=clock.now(), paid_at=clock.now())
            self._follow(placed, product, buyer)
        elif choice is not None:
            self._pay(placed, product, buyer, choice=choice)

    def _buyer_of(self, customer: Customer | None) -> Buyer:
        if customer is not None:
            return Buyer(
                customer_id=customer.customer_id,
                contact=customer.login,
                ip=customer.ip,
                actor=f"customer:{customer.customer_id}",
            )
        if self.guests and self.rng.random() < 0.3:
            contact, ip = self.rng.choice(self.guests)
        else:
            contact, ip = crowd.draw_login(self.rng), crowd.draw_address(self.rng)
            self.guests.append((contact, ip))
        return Buyer(customer_id=None, contact=contact, ip=ip, actor=f"guest:{contact}")

    def _answer(self, product: ProductView) -> dict[str, str]:
        kinds = self.files.goods[product.code].text.answers
        answers = {}
        for each in product.input_fields:
            if each.is_required or self.rng.random() < 0.7:
                choices = each.choices if each.kind is InputKind.CHOICE else ()
                answers[each.name] = crowd.draw_answer(
                    kinds[each.name], choices=choices, rng=self.rng
                )
        return answers

    def _pay(
        self, placed: PlacedOrder, product: ProductView, buyer: Buyer, *, choice: PayChoice
    ) -> None:
        """Pay at the gateway within a minute or two, or not at all."""
        placed_at = clock.now()
        self.diary.note_order(placed.order_id, placed_at=placed_at, paid_at=None)
        luck = self.rng.random()
        if luck < 0.05:
            return  # runs out of time
        later = placed_at + dt.timedelta(seconds=8 + self.rng.expovariate(1 / 25))
        if later >= self.ends_at:
            return
        if luck < 0.065:
            with clock.standing_at(later):
                order = Order.objects.get(id=placed.order_id)
                cancel_order(order=order, actor=Actor(kind="customer", name="buyer"))
                self.diary.note_closed(placed.order_id, at=later)
            return
        with clock.standing_at(later):
            payment = find_open_payment(Purpose.ORDER, paid_for=placed.order_id)
            if payment is not None:
                self._confirm(payment, choice, subject=product.title)
            self.diary.note_order(placed.order_id, placed_at=placed_at, paid_at=later)
            self._follow(placed, product, buyer)

    def _confirm(self, payment: Payment, choice: PayChoice, *, subject: str) -> None:
        """Say what the gateway's callback says, and let the simulator know of the payment."""
        moment = clock.now()
        gateway = find_known_gateway(self.view, gateway_id=choice.gateway_id)
        is_held = gateway is not None and flag_for_split(payment, gateway=gateway)
        local = moment.astimezone(rhythm.ZONE)
        tail = f"{secrets.randbelow(10**15):015d}"  # never that of an earlier load
        if choice.kind == "epay":
            external_no = f"{local:%Y%m%d%H%M%S}{tail[:10]}"
        elif choice.kind == "wechat":
            external_no = f"42000{local:%Y%m%d}{tail}"
        elif choice.kind == "unionpay":
            external_no = f"44{local:%m%d%H%M%S}{tail[:9]}"
        else:
            external_no = f"{local:%Y%m%d}22001{tail}"
        said = Confirmation(
            payment_no=payment.payment_no,
            external_no=external_no,
            amount=Amount(payment.amount),
            status=PaidStatus.PAID,
            paid_at=moment,
            payer="",
            raw_digest=hashlib.sha256(external_no.encode()).hexdigest(),
        )
        confirm_payment(
            said, gateway_id=choice.gateway_id, source="callback", scope=scope_of(self.view)
        )
        self.simulator.remember(
            {
                "gateway": self.accounts.get((choice.kind, choice.name), choice.kind),
                "trade_no": external_no,
                "out_trade_no": payment.payment_no,
                "method": choice.kind if choice.kind in {"alipay", "unionpay"} else choice.method,
                "subject": subject,
                "amount_fen": payment.amount // 100,
                "paid_at": moment.timestamp(),
                "is_held": is_held,
            }
        )

    def _follow(self, placed: PlacedOrder, product: ProductView, buyer: Buyer) -> None:
        """Plan what comes after the payment: delivery by hand, and sometimes a repair."""
        now = clock.now()
        delivered_at = now
        if product.delivery_kind != DeliveryKind.CARD:
            is_service = product.delivery_kind == DeliveryKind.MANUAL
            wait = rhythm.draw_wait(self.rng, median_minutes=900 if is_service else 9)
            delivered_at = rhythm.at_work(now + wait)
            receipt = self.files.goods[product.code].text.receipt
            order_id = placed.order_id
            self.plan(delivered_at, lambda: self._deliver(order_id, receipt))
        self._plan_repairs(placed, product, buyer, delivered_at)

    def _plan_repairs(
        self, placed: PlacedOrder, product: ProductView, buyer: Buyer, delivered_at: dt.datetime
    ) -> None:
        order_id, luck = placed.order_id, self.rng.random()
        later = rhythm.at_work(delivered_at + rhythm.draw_wait(self.rng, median_minutes=70))
        if luck < 0.012:
            self.plan(later, lambda: self._refund(order_id))
        elif luck < 0.016:
            self.plan(later, lambda: self._remark(order_id))
        elif luck < 0.019:
            self.plan(later, lambda: self._resend(order_id))
        elif luck < 0.023 and product.delivery_kind == DeliveryKind.CARD:
            self.plan(later, lambda: self._swap(order_id))

    def _deliver(self, order_id: int, receipt: str) -> None:
        if clock.now() > self.ends_at - AWAY:
            return
        deliver_by_hand(order_id=order_id, content=receipt, actor=self.shop.service)
        self.diary.note_delivered(order_id, at=clock.now())

    def _remark(self, order_id: int) -> None:
        write_note(order_id=order_id, text=self.rng.choice(REMARKS), actor=self.shop.service)
        self.diary.note_repair(order_id, at=clock.now())

    def _resend(self, order_id: int) -> None:
        if Order.objects.get(id=order_id).delivered_at is not None:
            resend_goods(order_id=order_id, actor=self.shop.service)
            self.diary.note_repair(order_id, at=clock.now())

    def _swap(self, order_id: int) -> None:
        collect_goods(Order.objects.get(id=order_id), by_buyer=True)
        keys = open_keys(order_id)
        if not keys:
            return
        try:
            replace_cards(
                order_id=order_id,
                key_id=keys[0].key_id,
                reason=self.rng.choice(FAULTS),
                actor=self.shop.service,
            )
        except KeyNotReplaceable:  # sold out meanwhile: the buyer is put off
            write_note(order_id=order_id, text=self.rng.choice(REMARKS), actor=self.shop.service)
        self.diary.note_repair(order_id, at=clock.now())

    def _refund(self, order_id: int) -> None:
        """Give money back: to the wallet what came from it, else the way it came."""
        order = Order.objects.get(id=order_id)
        by_gateway = order.payment_id is not None
        collect_goods(order, by_buyer=True)
        part = None
        if order.total_amount >= 400_000 and self.rng.random() < 0.2 and not by_gateway:
            part = order.total_amount // 20_000 * 10_000
        refund = refund_order(
            order_id=order_id,
            wish=RefundWish(
                amount=part,
                refund_to=RefundTo.SOURCE if by_gateway else RefundTo.WALLET,
                reason=self.rng.choice(COMPLAINTS),
                idempotency_key=secrets.token_hex(8),
            ),
            actor=self.shop.owner,
        )
        self.diary.note_refund(order_id, at=clock.now())
        if by_gateway:
            self._ask_gateway(refund)
        elif order.customer_id is not None:
            for customer in self.joined:
                if customer.customer_id == order.customer_id:
                    customer.wallet_amount += refund.amount

    def _ask_gateway(self, refund: OrderRefund) -> None:
        self.simulator.tell_history()
        asked = GatewayRefund.objects.get(refund_no=refund.refund_no)
        with clock.standing_at(dt.datetime.now(dt.UTC)):  # gateways refuse calls of the past
            ask_refund(asked.id)
