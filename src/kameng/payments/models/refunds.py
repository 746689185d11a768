"""Tables of money that goes back the way it came."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.payments.models.attempts import Payment, Purpose
from kameng.tenancy.scoping import TenantModel


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
