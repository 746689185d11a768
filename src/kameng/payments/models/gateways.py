"""Tables of gateways: merchant accounts, and what was opened at them a day."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import SharedDownModel


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
