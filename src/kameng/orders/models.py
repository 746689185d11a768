"""Tables of orders. One order is one product in some quantity (ADR 0006)."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


class OrderState(models.IntegerChoices):
    """The labels of `rules.State`."""

    AWAITING_PAYMENT = 1, _("待付款")
    AWAITING_DELIVERY = 2, _("待发货")
    DELIVERED = 3, _("已发货")
    CANCELLED = 4, _("已取消")
    EXPIRED = 5, _("已过期")
    REFUNDING = 6, _("退款中")
    REFUNDED = 7, _("已退款")


class PaidBy(models.IntegerChoices):
    """What an order was paid with."""

    UNPAID = 0, _("未支付")
    WALLET = 1, _("余额")
    GATEWAY = 2, _("在线支付")
    FREE = 3, _("免费")  # a plan that costs nothing


class Order(TenantModel):
    """What a buyer bought, at what price, and how far it has come.

    total = what the buyer pays (whole fen); wholesale = the main site's part of it; on a child site
    upline = what its upline asked above that; the rest, less the gateway's fee, is the operator's
    margin. `path` lists the states gone through, in order.
    """

    order_no = models.CharField(max_length=32, unique=True)
    main_site_id = models.BigIntegerField()  # gets the wholesale price, or its share of own goods
    customer_id = models.BigIntegerField(null=True)
    contact_cipher = models.BinaryField(null=True)
    contact_digest = models.BinaryField(null=True, max_length=16)
    product_id = models.BigIntegerField()
    variant_id = models.BigIntegerField()
    title = models.CharField(max_length=130)  # product and variant as they were called
    delivery_kind = models.SmallIntegerField()
    quantity = models.IntegerField()
    unit_amount = AmountField()
    total_amount = AmountField()
    wholesale_amount = AmountField()
    # The sub-site that a child bought through, as it stood when the order was placed, and its part.
    upline_site_id = models.BigIntegerField(null=True)
    upline_amount = AmountField(null=True)
    fee_amount = AmountField(default=0)  # of the gateway, as far as no surcharge covers it
    # Paid on top by a buyer who bears the gateway's fee; and what of it the gateway keeps.
    surcharge_amount = AmountField(default=0, db_default=0)
    surcharge_fee_amount = AmountField(default=0, db_default=0)
    # The wallet's part beside a gateway: held while unpaid, spent once paid, zero when given up.
    wallet_amount = AmountField(default=0, db_default=0)
    # How this order's money is settled (tenancy.SettlementWay), as its shop did when it was placed.
    settlement_way = models.SmallIntegerField(default=0, db_default=0)
    awaits_prepaid = models.BooleanField(default=False, db_default=False)  # paid; wholesale is not
    refunded_amount = AmountField(default=0)  # asked for or done; never above total
    inputs_cipher = models.BinaryField(null=True)  # what the product asked for, JSON
    state = models.SmallIntegerField(choices=OrderState)
    path = ArrayField(models.SmallIntegerField())
    paid_by = models.SmallIntegerField(choices=PaidBy, default=PaidBy.UNPAID)
    payment_id = models.BigIntegerField(null=True)  # the payment that paid it
    # A short payment before it, whose rest that one paid: what it brought, and its gateway's fee.
    first_payment_id = models.BigIntegerField(null=True)
    first_amount = AmountField(default=0, db_default=0)  # of the total
    first_fee_amount = AmountField(default=0, db_default=0)  # of the fee
    request_key = models.BinaryField(max_length=16)  # digest of (person, idempotency key)
    request_digest = models.BinaryField(max_length=16)  # of the content that came with the key
    buyer_ip = models.CharField(max_length=45, blank=True)
    placed_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    revealed_at = models.DateTimeField(null=True)  # first time the buyer saw the goods
    staff_note = models.CharField(max_length=400, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "request_key"], name="orders_request_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1)
                & (
                    Q(total_amount__gt=0) & ~Q(paid_by=3)
                    | Q(total_amount=0, paid_by=3, delivery_kind=4)
                )
                & Q(wholesale_amount__gte=0)
                & Q(wholesale_amount__lte=F("total_amount")),
                name="orders_amounts",
            ),
            models.CheckConstraint(
                condition=Q(upline_site_id__isnull=True, upline_amount__isnull=True)
                | Q(
                    upline_site_id__isnull=False,
                    upline_amount__gte=0,
                    upline_amount__lte=F("total_amount") - F("wholesale_amount"),
                    settlement_way=0,
                ),
                name="orders_upline_part",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0) & Q(refunded_amount__lte=F("total_amount")),
                name="orders_refund_within",
            ),
            models.CheckConstraint(
                condition=Q(wallet_amount=0)
                | Q(
                    wallet_amount__gt=0,
                    wallet_amount__lt=F("total_amount"),
                    customer_id__isnull=False,
                ),
                name="orders_wallet_part",
            ),
            models.CheckConstraint(
                condition=Q(surcharge_fee_amount__gte=0)
                & Q(surcharge_fee_amount__lte=F("surcharge_amount")),
                name="orders_surcharge",
            ),
            models.CheckConstraint(
                condition=Q(first_payment_id__isnull=True, first_amount=0, first_fee_amount=0)
                | Q(
                    first_payment_id__isnull=False,
                    payment_id__isnull=False,
                    surcharge_amount=0,
                    first_amount__gt=0,
                    first_amount__lt=F("total_amount") - F("wallet_amount"),
                    first_fee_amount__gte=0,
                    first_fee_amount__lte=F("fee_amount"),
                ),
                name="orders_first_payment",
            ),
            models.CheckConstraint(
                condition=Q(awaits_prepaid=False) | Q(state__in=(2, 6, 7), settlement_way=2),
                name="orders_awaits_prepaid",
            ),
            models.CheckConstraint(  # opening fees earn nobody a margin or a commission
                condition=~Q(delivery_kind=4)
                | Q(
                    site_id=F("main_site_id"),
                    wholesale_amount=F("total_amount"),
                    quantity=1,
                    settlement_way=0,
                    awaits_prepaid=False,
                ),
                name="orders_opening_earns_nobody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="orders_by_site"),
            models.Index(
                fields=["site", "customer_id", "-id"],
                name="orders_by_customer",
                condition=Q(customer_id__isnull=False),
            ),
            models.Index(
                fields=["site", "contact_digest"],
                name="orders_by_contact",
                condition=Q(contact_digest__isnull=False),
            ),
            models.Index(fields=["expires_at"], name="orders_to_expire", condition=Q(state=1)),
            models.Index(
                fields=["site", "paid_at"],
                name="orders_queue",
                condition=Q(state__in=(2, 6)),
            ),
            models.Index(
                fields=["site", "paid_at"],
                name="orders_by_day",
                condition=Q(paid_at__isnull=False),
            ),
            models.Index(
                fields=["site", "paid_at", "id"],
                name="orders_awaiting_prepaid",
                condition=Q(awaits_prepaid=True, state=2),
            ),
            # Every shop's sales of a stretch of time; costs a write next to nothing.
            BrinIndex(
                fields=["paid_at"], name="orders_by_moment", autosummarize=True, pages_per_range=32
            ),
            models.Index(
                fields=["upline_site_id", "paid_at"],
                name="orders_by_upline",
                condition=Q(upline_site_id__isnull=False, paid_at__isnull=False),
            ),
            models.Index(
                fields=["upline_site_id"],
                name="orders_upline_waits",
                condition=Q(upline_site_id__isnull=False, state__in=(2, 6)),
            ),
            models.Index(
                fields=["upline_site_id", "delivered_at"],
                name="orders_upline_late",
                condition=Q(upline_site_id__isnull=False, delivered_at__gt=F("paid_at")),
            ),
            models.Index(  # most orders are delivered as they are paid: those are found by day
                fields=["site", "delivered_at"],
                name="orders_late_delivery",
                condition=Q(delivered_at__gt=F("paid_at")),
            ),
        ]


class Delivery(TenantModel):
    """Goods written by an operator (services, hand delivery). Card keys stay in inventory."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    content_cipher = models.BinaryField()
    delivered_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["order"], name="orders_delivery_by_order")]


class UsedMark(TenantModel):
    """The buyer's own mark: this key is used."""

    order_id = models.BigIntegerField()
    key_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order_id", "key_id"], name="orders_used_once"),
        ]


class RefundTo(models.IntegerChoices):
    """Where refunded money goes."""

    WALLET = 1, _("退到余额")
    SOURCE = 2, _("原路退回")
    HAND = 3, _("线下退款")  # staff pay the buyer outside the system; the books are kept here


class OrderRefundState(models.IntegerChoices):
    """How far a refund of an order has come."""

    WAITING = 1, _("退款中")
    DONE = 2, _("已退款")
    REFUSED = 3, _("通道拒绝")  # a person decides: again, to the wallet, or paid by hand


class OrderRefund(TenantModel):
    """Money given back for an order, whole or part, with the parts it takes from each side."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    refund_no = models.CharField(max_length=32, unique=True)
    amount = AmountField()
    own_amount = AmountField()  # taken back from the main site
    margin_amount = AmountField()  # from the operator
    upline_site_id = models.BigIntegerField(null=True)  # as the order's
    upline_amount = AmountField(null=True)  # from that one
    fee_amount = AmountField(default=0)  # from the gateway's fee, where the gateway gives it back
    surcharge_amount = AmountField(default=0, db_default=0)  # of the surcharge, on top of amount
    wallet_amount = AmountField(default=0, db_default=0)  # what of both goes to the wallet
    refund_to = models.SmallIntegerField(choices=RefundTo)
    # Which payment it goes back by, where that is not the one that paid the order: the first one.
    payment_id = models.BigIntegerField(null=True)
    state = models.SmallIntegerField(choices=OrderRefundState)
    reason = models.CharField(max_length=200)
    asked_by = models.CharField(max_length=64)
    idempotency_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    @property
    def whole_amount(self) -> int:
        """What reaches the buyer: the goods' part and the surcharge's."""
        return int(self.amount + self.surcharge_amount)

    @property
    def rest_amount(self) -> int:
        """What of it does not go to the wallet: to the source, or by hand."""
        return int(self.whole_amount - self.wallet_amount)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "idempotency_key"], name="orders_refund_once"),
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(
                    amount=F("own_amount")
                    + F("margin_amount")
                    + F("fee_amount")
                    + Coalesce(F("upline_amount"), 0)
                ),
                name="orders_refund_parts",
            ),
            models.CheckConstraint(
                condition=Q(surcharge_amount__gte=0)
                & Q(wallet_amount__gte=0)
                & Q(wallet_amount__lte=F("amount") + F("surcharge_amount")),
                name="orders_refund_legs",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["order"], name="orders_refund_by_order"),
            models.Index(
                fields=["upline_site_id"],
                name="orders_refund_upline",
                condition=Q(upline_site_id__isnull=False, state__in=(1, 3)),
            ),
        ]


class Note(TenantModel):
    """A line of an order's time line that no column tells: repairs, staff acts, remarks."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    kind = models.CharField(max_length=32)  # resent, key_replaced, late_payment, …
    text = models.CharField(max_length=400, blank=True)
    actor_name = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["order"], name="orders_note_by_order")]


class PurchaseAct(models.IntegerChoices):
    """What is done with the site once its order is paid."""

    OPEN = 1, _("开店")
    PROLONG = 2, _("续期")
    CHANGE = 3, _("换套餐")


class SitePurchase(TenantModel):
    """What an order of a plan is to do: which site to open, for whom, or which one to prolong.

    Of the main site, written with its order. The owner's password is kept as its hash, and only
    until the site is open.
    """

    order_id = models.BigIntegerField(unique=True)
    act = models.SmallIntegerField(choices=PurchaseAct)
    plan_id = models.BigIntegerField()
    term_days = models.IntegerField(null=True)  # as they were sold; null: for good
    target_id = models.BigIntegerField(null=True)  # the site: prolonged, or opened by this order
    slug = models.CharField(max_length=32, blank=True)
    name = models.CharField(max_length=40, blank=True)
    template = models.CharField(max_length=40, blank=True)
    user_id = models.BigIntegerField(null=True)  # who is to own it, or bought; null until made
    owner_login = models.CharField(max_length=64, blank=True)
    owner_name = models.CharField(max_length=20, blank=True)
    owner_password = models.CharField(max_length=200, blank=True)
    holder = models.CharField(max_length=80)  # who holds the address meanwhile
    problem = models.CharField(max_length=40, blank=True)  # code of why it could not be done
    done_at = models.DateTimeField(null=True)
    entered_at = models.DateTimeField(null=True)  # the one-time way into the back office was used
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(act=1) & ~Q(slug="") | Q(act__in=(2, 3), target_id__isnull=False),
                name="orders_purchase_target",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(target_id__isnull=False, owner_password=""),
                name="orders_purchase_done",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["site", "order_id"],
                name="orders_purchase_due",
                condition=Q(done_at__isnull=True),
            ),
            models.Index(fields=["target_id"], name="orders_purchase_of_site"),
        ]


class FreeOpening(TenantModel):
    """That a person opened a shop for nothing: once, by whatever name he may come again.

    Of the main site. One row for each way in which the person is known: contact, customer, staff.
    """

    key_digest = models.BinaryField(max_length=32)
    order_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "key_digest"], name="orders_free_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["order_id"], name="orders_free_by_order")]
