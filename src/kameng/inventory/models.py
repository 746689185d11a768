"""Tables of stock. Keys belong to the site that owns the goods (usually the main site)."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


class KeyState(models.IntegerChoices):
    """Where a key is in its life."""

    UNSOLD = 0, _("未售")
    RESERVED = 1, _("已预占")  # for an unpaid order, until it expires
    SOLD = 2, _("已售")
    WITHDRAWN = 3, _("已撤回")  # its batch was withdrawn; never sold
    FAULTY = 4, _("已作废")  # was sold, was replaced


class CardBatch(TenantModel):
    """Keys that came in together; can be withdrawn together while unsold."""

    variant_id = models.BigIntegerField()
    label = models.CharField(max_length=80)
    cost_amount = AmountField(default=0)  # paid for one key
    key_count = models.IntegerField(default=0)
    import_job_id = models.BigIntegerField(null=True)
    created_by = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    withdrawn_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(fields=["site", "variant_id", "-id"], name="inventory_batch_by_variant"),
        ]


class CardKey(TenantModel):
    """One key. `id` is the import order and the order of sale; `secret` is bound to it."""

    id = models.BigAutoField(primary_key=True)
    variant_id = models.BigIntegerField()
    batch_id = models.BigIntegerField()
    state = models.SmallIntegerField(choices=KeyState, default=KeyState.UNSOLD)
    order_id = models.BigIntegerField(null=True)
    secret = models.BinaryField()
    digest = models.BinaryField(max_length=16)
    sold_at = models.DateTimeField(null=True)
    # The id once more, under a name that the primary key's index cannot serve.
    position = models.GeneratedField(
        expression=models.F("id"),  # type: ignore[arg-type]
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "digest"], name="inventory_key_once"),
            models.CheckConstraint(
                condition=Q(state__in=(0, 3), order_id__isnull=True)
                | Q(state__in=(1, 2, 4), order_id__isnull=False),
                name="inventory_key_state_order",
            ),
        ]
        indexes: ClassVar = [
            # The order of sale. Never ORDER BY the primary key: with one dominant product the
            # planner would walk over everything sold (77 ms a sale after 390 000 sales).
            models.Index(
                fields=["variant_id", "position"], name="inventory_unsold", condition=Q(state=0)
            ),
            models.Index(
                fields=["order_id"],
                name="inventory_by_order",
                condition=Q(order_id__isnull=False),
            ),
            models.Index(fields=["batch_id", "state", "id"], name="inventory_by_batch"),
        ]


class StockLevel(TenantModel):
    """Counted stock of what has no keys (services). No row: not limited."""

    variant_id = models.BigIntegerField(primary_key=True)
    available_count = models.IntegerField()
    # available + what orders took of it (`CountedClaim`); null: set before this was kept.
    supplied_count = models.IntegerField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(available_count__gte=0), name="inventory_level_not_negative"
            ),
        ]


class CountedClaim(TenantModel):
    """What one order took of a counted level, of the site that owns the goods. Goes with what goes
    back (cancelled, expired, refunded before delivery) and stays with what was delivered."""

    order_id = models.BigIntegerField(primary_key=True)
    variant_id = models.BigIntegerField()
    count = models.IntegerField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(fields=["variant_id"], name="inventory_counted_by_variant"),
        ]


class Reservation(TenantModel):
    """Stock held for one unpaid order. Gone when the order is paid, cancelled or expired."""

    order_id = models.BigIntegerField(primary_key=True)
    variant_id = models.BigIntegerField()
    count = models.IntegerField()
    holds_keys = models.BooleanField()  # keys are marked reserved; otherwise see CountedClaim
    actor_digest = models.BinaryField(max_length=16)  # who reserves: for the caps per person
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(fields=["actor_digest"], name="inventory_reserved_by_actor"),
            models.Index(fields=["expires_at"], name="inventory_reserved_until"),
        ]
