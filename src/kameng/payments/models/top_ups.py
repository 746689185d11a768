"""Tables of wallet top-ups: their bonuses, and what of them goes back."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


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
