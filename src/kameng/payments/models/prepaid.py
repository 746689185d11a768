"""Tables of wholesale that operators pay in ahead."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


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
