"""Tables of attempts to pay: the payment, what it lacks, why it counts, what was refused."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.payments.conditions import IS_COMPLETING, IS_ODD
from kameng.tenancy.scoping import TenantModel


class Purpose(models.IntegerChoices):
    """What a payment pays for."""

    ORDER = 1, _("订单")
    TOP_UP = 2, _("充值")
    PREPAID = 8, _("预存货款")  # an operator pays in ahead; numbers are those of ledger.Reference


class PaymentState(models.IntegerChoices):
    """How far an attempt to pay has come."""

    OPEN = 1, _("待支付")
    CONFIRMED = 2, _("已支付")
    CLOSED = 3, _("已关闭")  # given up; a late confirmation is still accepted
    MISMATCHED = 4, _("金额不符")  # another amount, or a second payment: a person decides


class Payment(TenantModel):
    """One attempt to pay one thing through one gateway. `payment_no` is what the gateway knows."""

    payment_no = models.CharField(max_length=32, unique=True)
    purpose = models.SmallIntegerField(choices=Purpose)
    subject_id = models.BigIntegerField()
    gateway_id = models.BigIntegerField()
    amount = AmountField()  # what the buyer pays here, the surcharge included
    fee_amount = AmountField(default=0)
    surcharge_amount = AmountField(default=0, db_default=0)  # of amount: the fee the buyer bears
    state = models.SmallIntegerField(choices=PaymentState, default=PaymentState.OPEN)
    external_no = models.CharField(max_length=64, null=True)
    received_amount = AmountField(null=True)
    refunded_amount = AmountField(default=0)  # asked for or done; never above received
    # What staff accepted that it differs: amount less received; below zero it is a surplus.
    difference_amount = AmountField(default=0, db_default=0)
    surplus_left_amount = AmountField(
        default=0, db_default=0
    )  # accepted surplus that is not given back yet
    disputed_amount = AmountField(
        default=0, db_default=0
    )  # held back by the gateway, or lost for good
    open_disputes = models.SmallIntegerField(
        default=0, db_default=0
    )  # while one is open nothing goes back
    instruction = models.JSONField(null=True)  # what the buyer was told, to show it again
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    next_query_at = models.DateTimeField(null=True)  # when the gateway is asked; NULL: no need
    query_count = models.SmallIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)  # when the gateway was first told of it
    cap_day = models.DateField(null=True)  # the day of whose cap it holds its amount
    # The short payment whose missing sum this one pays: an order that two payments pay together.
    completes = models.ForeignKey(
        "self", null=True, db_index=False, on_delete=models.PROTECT, related_name="+"
    )
    # Of amount: what another payment, the wallet or the shop (a surcharge) bears.
    completed_amount = AmountField(default=0, db_default=0)
    # Flagged at the gateway for a split that has not ended: what is left of it is held there.
    will_split = models.BooleanField(default=False, db_default=False)

    @property
    def is_second(self) -> bool:
        """Whether this came for something that was paid already: the right amount, for nothing."""
        return self.state == PaymentState.MISMATCHED and self.received_amount == self.amount

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway_id", "external_no"],
                condition=Q(external_no__isnull=False),
                name="payments_external_once",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_amount_positive"),
            models.CheckConstraint(
                condition=Q(surcharge_amount__gte=0) & Q(surcharge_amount__lt=models.F("amount")),
                name="payments_surcharge_within",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0)
                & (
                    Q(refunded_amount=0)
                    | Q(
                        received_amount__isnull=False,
                        refunded_amount__lte=models.F("received_amount"),
                    )
                ),
                name="payments_refund_within",
            ),
            models.CheckConstraint(
                condition=Q(completed_amount__gte=0)
                & Q(completed_amount__lt=models.F("amount"))
                & (Q(completed_amount=0) | Q(completes__isnull=True)),
                name="payments_completed_within",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["purpose", "subject_id"], name="payments_by_subject"),
            models.Index(fields=["completes"], name="payments_completing", condition=IS_COMPLETING),
            models.Index(
                fields=["next_query_at"],
                name="payments_to_query",
                condition=Q(next_query_at__isnull=False),
            ),
            models.Index(fields=["site", "-id"], name="payments_by_site"),
            models.Index(
                fields=["confirmed_at"],
                name="payments_to_split",
                condition=Q(will_split=True, confirmed_at__isnull=False),
            ),
            models.Index(fields=["site", "-id"], name="payments_odd", condition=IS_ODD),
        ]


class ShortfallState(models.IntegerChoices):
    """What became of the wish that a buyer pays the rest."""

    OPEN = 1, _("等买家补差价")
    PAID = 2, _("已补齐")
    EXPIRED = 3, _("没有补，已退回")
    ENDED = 4, _("已另行处理")  # staff took or returned the money, or it was paid otherwise


class Shortfall(TenantModel):
    """The buyer of a short payment is asked to pay the rest until a moment. One open a payment.

    Changed under the lock of its payment alone.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+")
    missing_amount = AmountField()
    state = models.SmallIntegerField(choices=ShortfallState, default=ShortfallState.OPEN)
    reason = models.CharField(max_length=200)
    asked_by = models.CharField(max_length=64)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=TransactionNow())
    closed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(missing_amount__gt=0), name="payments_shortfall_positive"
            ),
            models.UniqueConstraint(
                fields=["payment"], condition=Q(state=1), name="payments_shortfall_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="payments_shortfall_by_site"),
            models.Index(fields=["payment"], name="payments_shortfall_by_payment"),
        ]


class Proof(TenantModel):
    """Why a payment counts as paid: the verified statement. One a payment."""

    payment = models.OneToOneField(
        Payment, primary_key=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    source = models.CharField(max_length=12)  # callback, query, staff
    raw_digest = models.BinaryField(max_length=32)  # SHA-256 of the statement as received
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())


class RejectedCallback(models.Model):
    """A callback that was refused, for the security view. Bounded by a sweep."""

    gateway_id = models.BigIntegerField()
    site_id = models.BigIntegerField()
    code = models.CharField(max_length=32)
    payment_no = models.CharField(max_length=64, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-created_at"], name="payments_rejected_recent")]


class CallbackNonce(TenantModel):
    """What a gateway used once for the sending of an accepted callback. Swept when it is old."""

    gateway_id = models.BigIntegerField()
    nonce = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway_id", "nonce"], name="payments_nonce_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="payments_nonce_age"),
        ]
