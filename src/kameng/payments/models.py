"""Tables of payments."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.payments.conditions import IS_COMPLETING, IS_ODD
from kameng.tenancy.scoping import SharedDownModel, TenantModel


class FeeBearer(models.IntegerChoices):
    """Who bears what the gateway keeps of a payment."""

    SITE = 0, _("店家承担")
    BUYER = 1, _("买家承担")  # added to what the buyer pays


class Gateway(SharedDownModel):
    """A merchant account at a payment provider, by one of the methods it offers.

    The main site's is used by its sub-sites too, unless they take money by their own. A buyer
    chooses a way to pay: a gateway that names no `way` is one, those that name it are further
    accounts behind it. Health is written by payments_note_fault and its like.
    """

    kind = models.CharField(max_length=24)  # registry key: epay, alipay
    name = models.CharField(max_length=40)
    method = models.CharField(max_length=24)  # what the buyer chooses: alipay, wxpay, page, qr …
    config_cipher = models.BinaryField()
    fee_bps = models.IntegerField(default=0)
    min_amount = AmountField(default=0)
    max_amount = AmountField(default=10_000_000_000)
    # From this amount on (and for every top-up) a callback is believed only after a query.
    verify_above_amount = AmountField(default=5_000_000)
    is_enabled = models.BooleanField(default=False)
    is_frozen = models.BooleanField(default=False)  # a query contradicted a valid signature
    position = models.IntegerField(default=0)
    checked_at = models.DateTimeField(null=True)  # last time the credentials were proved
    created_at = models.DateTimeField(db_default=TransactionNow())
    way = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=40, blank=True, db_default="")  # the account, for staff
    weight = models.SmallIntegerField(default=100, db_default=100)  # 0: when no other can
    daily_cap_amount = AmountField(null=True)  # opened a Beijing day, given-up attempts not counted
    devices = ArrayField(  # narrower than the method's own; empty: all of those
        models.CharField(max_length=8), default=list, db_default=[], blank=True
    )
    fee_bearer = models.SmallIntegerField(
        choices=FeeBearer, default=FeeBearer.SITE, db_default=FeeBearer.SITE
    )
    fault_count = models.SmallIntegerField(default=0, db_default=0)  # in a row
    faulted_at = models.DateTimeField(null=True)
    fault_code = models.CharField(max_length=64, blank=True, db_default="")
    rest_count = models.SmallIntegerField(default=0, db_default=0)  # since a payment last opened
    rests_until = models.DateTimeField(null=True)  # NULL: at work

    @property
    def way_key(self) -> int:
        """Return the way to pay behind which this account stands: its id, or another's."""
        return self.id if self.way_id is None else self.way_id

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(weight__gte=0) & Q(weight__lte=1000), name="payments_gateway_weight"
            ),
            models.CheckConstraint(
                condition=Q(daily_cap_amount__isnull=True) | Q(daily_cap_amount__gt=0),
                name="payments_gateway_cap",
            ),
            models.CheckConstraint(
                condition=~Q(way=models.F("id")), name="payments_gateway_own_way"
            ),
            models.CheckConstraint(
                condition=Q(fee_bearer__in=(0, 1)), name="payments_gateway_bearer"
            ),
            models.CheckConstraint(
                condition=Q(fee_bps__gte=0) & Q(fee_bps__lte=2000), name="payments_gateway_fee"
            ),
            models.CheckConstraint(
                condition=Q(min_amount__gte=0) & Q(max_amount__gte=models.F("min_amount")),
                name="payments_gateway_range",
            ),
        ]


class GatewayDay(SharedDownModel):
    """What was opened at a gateway with a daily cap on one Beijing day; written by functions."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    opened_amount = AmountField(default=0)
    opened_count = models.IntegerField(default=0)

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "day"], name="payments_gateway_day_once"),
            models.CheckConstraint(
                condition=Q(opened_amount__gte=0) & Q(opened_count__gte=0),
                name="payments_gateway_day_positive",
            ),
        ]


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


class RefundState(models.IntegerChoices):
    """How far a refund through a gateway has come."""

    WAITING = 1, _("退款中")  # to be asked of the gateway, or asked and not known yet
    DONE = 2, _("已退款")
    REFUSED = 3, _("退款失败")  # the gateway refused: a person decides


class GatewayRefund(TenantModel):
    """Money sent back the way it came. `refund_no` is the gateway's idempotency key."""

    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    refund_no = models.CharField(max_length=32, unique=True)
    purpose = models.SmallIntegerField(choices=Purpose)
    subject_id = models.BigIntegerField()  # the refund of the order, or the top-up
    amount = AmountField()
    reason = models.CharField(max_length=200, blank=True)
    is_surplus = models.BooleanField(default=False, db_default=False)  # what came above the price
    state = models.SmallIntegerField(choices=RefundState, default=RefundState.WAITING)
    asked_count = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=TransactionNow())
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_refund_positive"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="payments_refund_due", condition=Q(state=1)
            ),
            models.Index(fields=["site", "-id"], name="payments_refund_by_site"),
        ]


class TopUp(TenantModel):
    """A customer's wish to put money into the wallet; credited when its payment is confirmed."""

    top_up_no = models.CharField(max_length=32, unique=True)
    customer_id = models.BigIntegerField()
    amount = AmountField()
    bonus_rule_id = models.BigIntegerField(null=True)  # what was promised when it began
    bonus_amount = AmountField(default=0, db_default=0)
    credited_at = models.DateTimeField(null=True)
    over_cap_at = models.DateTimeField(null=True)  # paid, but the wallet was full: it goes back
    returned_amount = AmountField(default=0, db_default=0)  # principal on its way back, or back
    idempotency_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_top_up_positive"),
            models.CheckConstraint(
                condition=Q(bonus_amount__gte=0)
                & Q(returned_amount__gte=0)
                & Q(returned_amount__lte=models.F("amount")),
                name="payments_top_up_returned",
            ),
            models.UniqueConstraint(
                fields=["site", "customer_id", "idempotency_key"], name="payments_top_up_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "customer_id", "-id"], name="payments_top_up_by_customer"),
        ]


class PrepaidSource(models.IntegerChoices):
    """Where the money of a payment into a prepaid balance came from."""

    GATEWAY = 1, _("在线支付")
    BANK = 2, _("银行转账")


class PrepaidIn(TenantModel):
    """An operator pays wholesale in ahead: by a gateway of the main site, or by bank transfer.

    Belongs to the operator's site. Credited once, when the payment is confirmed or staff book it.
    """

    prepaid_no = models.CharField(max_length=32, unique=True)
    amount = AmountField()
    source = models.SmallIntegerField(choices=PrepaidSource)
    credited_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    asked_by = models.CharField(max_length=64)
    idempotency_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_prepaid_positive"),
            models.UniqueConstraint(
                fields=["site", "idempotency_key"], name="payments_prepaid_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="payments_prepaid_by_site")]


class PrepaidWatch(TenantModel):
    """Whether a prepaid balance is below what its operator watches: who was told, is told once."""

    is_low = models.BooleanField(default=False)
    changed_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site"], name="payments_prepaid_watch_once"),
        ]


class BonusRule(TenantModel):
    """Who puts in at least `min_amount` gets so much more: an amount, or a rate of it."""

    min_amount = AmountField()
    bonus_amount = AmountField(default=0)
    bonus_bps = models.IntegerField(default=0)
    is_once = models.BooleanField(default=False)  # once for each customer
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(min_amount__gt=0)
                & (
                    Q(bonus_amount__gt=0, bonus_bps=0)
                    | Q(bonus_amount=0, bonus_bps__gt=0, bonus_bps__lte=10_000)
                ),
                name="payments_bonus_rule",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "min_amount"], name="payments_bonus_rule_by_site")
        ]


class Bonus(TenantModel):
    """What one top-up got on top. One a top-up; of a rule that gives once, one a customer."""

    top_up = models.OneToOneField(TopUp, on_delete=models.PROTECT, related_name="+")
    rule_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    amount = AmountField()
    revoked_amount = AmountField(default=0)
    is_once = models.BooleanField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rule_id", "customer_id"],
                condition=Q(is_once=True),
                name="payments_bonus_once",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(revoked_amount__gte=0)
                & Q(revoked_amount__lte=models.F("amount")),
                name="payments_bonus_within",
            ),
        ]


class ReturnState(models.IntegerChoices):
    """How far a returned top-up has come."""

    WAITING = 1, _("退回中")
    DONE = 2, _("已退回")
    REFUSED = 3, _("通道拒绝")  # a person decides: again, back to the wallet, or paid by hand
    PUT_BACK = 4, _("已放回余额")
    HAND = 5, _("已线下退回")


class TopUpReturn(TenantModel):
    """Principal of a top-up that goes back to its source. `return_no` is the gateway's key."""

    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="+")
    return_no = models.CharField(max_length=32, unique=True)
    amount = AmountField()
    bonus_amount = AmountField(default=0)  # of its bonus, taken back with it
    state = models.SmallIntegerField(choices=ReturnState, default=ReturnState.WAITING)
    reason = models.CharField(max_length=200)
    refusal = models.CharField(max_length=200, blank=True)
    asked_by = models.CharField(max_length=64)
    is_by_staff = models.BooleanField()
    idempotency_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["top_up", "idempotency_key"], name="payments_return_once"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(bonus_amount__gte=0), name="payments_return_amounts"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="payments_return_by_site")]


class DisputeState(models.IntegerChoices):
    """How far a dispute has come."""

    OPEN = 1, _("处理中")
    WON = 2, _("已胜诉")  # closed for the shop: nothing was taken
    LOST = 3, _("已败诉")


class Dispute(TenantModel):
    """A payer wants the money back by the gateway or the bank. `dispute_no` is the gateway's."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+")
    gateway_id = models.BigIntegerField()
    dispute_no = models.CharField(max_length=64)
    amount = AmountField()  # what the payer claims
    held_amount = AmountField(default=0)  # what the gateway holds back, as booked
    lost_amount = AmountField(default=0)
    reason = models.CharField(max_length=400, blank=True)
    evidence = models.TextField(blank=True)  # what the shop answers: deliveries, looks, messages
    state = models.SmallIntegerField(choices=DisputeState, default=DisputeState.OPEN)
    source = models.CharField(max_length=12)  # callback, staff
    answer_by = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    closed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway_id", "dispute_no"], name="payments_dispute_once"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(held_amount__gte=0)
                & Q(held_amount__lte=models.F("amount"))
                & Q(lost_amount__gte=0)
                & Q(lost_amount__lte=models.F("held_amount")),
                name="payments_dispute_amounts",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="payments_dispute_by_site"),
            models.Index(fields=["payment"], name="payments_dispute_by_payment"),
            models.Index(
                fields=["site"], name="payments_dispute_open", condition=Q(state=DisputeState.OPEN)
            ),
        ]


class EvidenceState(models.IntegerChoices):
    """How far the answer to a dispute has come at its gateway."""

    WAITING = 1, _("正在提交")
    SENT = 2, _("已提交")
    REFUSED = 3, _("平台没有收下")


class DisputeEvidence(TenantModel):
    """What is handed in at the gateway of a dispute, as it is sent. One that was not refused each.

    `document` is a PDF of facts without card keys and without addresses in clear.
    """

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="+")
    evidence_no = models.CharField(max_length=32, unique=True)
    product = models.CharField(max_length=200)
    delivered_at = models.DateTimeField(null=True)
    text = models.TextField()
    document = models.BinaryField()
    state = models.SmallIntegerField(choices=EvidenceState, default=EvidenceState.WAITING)
    external_no = models.CharField(max_length=64, blank=True)  # the gateway's, of the document
    asked_count = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=TransactionNow())
    last_error = models.CharField(max_length=200, blank=True)
    asked_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dispute"], condition=~Q(state=3), name="payments_evidence_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="payments_evidence_due", condition=Q(state=1)
            ),
            models.Index(fields=["dispute"], name="payments_evidence_by_dispute"),
        ]
