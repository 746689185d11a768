"""Tables of insight: roll-ups, and whole sites taken along as one file.

Roll-ups are written by the functions in sql/ alone, and recomputable from the orders.

Days and hours are those of each shop's own time zone. `span` 1 is a shop's own trade; 2, kept for
the main site, is the trade of all shops together, each on its own clock. `grain` 0 is an hour, 1 a
day, 2 a month (`day` is its first). Keys begin with the site and go on by time, so that a table can
be partitioned by either.
"""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


class Span(models.IntegerChoices):
    """Whose trade a row counts."""

    OWN = 1
    ALL = 2


class Grain(models.IntegerChoices):
    """How long a row's time is."""

    HOUR = 0
    DAY = 1
    MONTH = 2


class Mark(models.Model):
    """How far the roll-up has come: one row. What was paid from `rolled_until` on is not in it."""

    rolled_until = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="insight_one_mark"),
        ]


class Floor(models.Model):
    """From which id on orders were placed after a moment: no index on the moment is needed."""

    moment = models.DateTimeField(primary_key=True)
    order_id = models.BigIntegerField()


class ShopClock(TenantModel):
    """In which time zone a site was rolled up, and who is its main site."""

    main_site_id = models.BigIntegerField()
    zone = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site"], name="insight_one_clock"),
        ]


class DirtyDay(TenantModel):
    """A day of a site whose orders changed after it was rolled up: it is computed again."""

    pk = models.CompositePrimaryKey("site", "day")
    day = models.DateField()
    marked_at = models.DateTimeField(db_default=TransactionNow())


class SalesTotal(TenantModel):
    """What was sold, visited and placed in an hour, a day or a month.

    `margin_amount` is what the selling site keeps, refunds taken off; `income_amount` what the main
    site gets of it, before the cost of the goods; `below_amount` what this site got of the sales of
    its child sites, counted on its own clock. Orders count by their payment, `placed_count` by
    the moment they were placed, visitors by the first page of their day.
    """

    pk = models.CompositePrimaryKey("site", "span", "grain", "day", "hour")
    span = models.SmallIntegerField()
    grain = models.SmallIntegerField()
    day = models.DateField()
    hour = models.SmallIntegerField()
    order_count = models.BigIntegerField(default=0, db_default=0)
    piece_count = models.BigIntegerField(default=0, db_default=0)
    revenue_amount = AmountField(default=0, db_default=0)
    refunded_amount = AmountField(default=0, db_default=0)
    refund_count = models.BigIntegerField(default=0, db_default=0)
    delivered_count = models.BigIntegerField(default=0, db_default=0)
    margin_amount = AmountField(default=0, db_default=0)
    income_amount = AmountField(default=0, db_default=0)
    below_amount = AmountField(default=0, db_default=0)
    placed_count = models.BigIntegerField(default=0, db_default=0)
    visitor_count = models.BigIntegerField(default=0, db_default=0)
    product_count = models.BigIntegerField(default=0, db_default=0)
    checkout_count = models.BigIntegerField(default=0, db_default=0)


class GoodsTotal(TenantModel):
    """What one variant sold in a day or a month. `kept_piece_count` leaves out refunded orders."""

    pk = models.CompositePrimaryKey("site", "span", "grain", "day", "variant_id")
    span = models.SmallIntegerField()
    grain = models.SmallIntegerField()
    day = models.DateField()
    variant_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    order_count = models.BigIntegerField(default=0, db_default=0)
    piece_count = models.BigIntegerField(default=0, db_default=0)
    kept_piece_count = models.BigIntegerField(default=0, db_default=0)
    revenue_amount = AmountField(default=0, db_default=0)
    refunded_amount = AmountField(default=0, db_default=0)


class SourceTotal(TenantModel):
    """What came from one source in a day or a month; source 0 is no recorded visit."""

    pk = models.CompositePrimaryKey("site", "span", "grain", "day", "source_key")
    span = models.SmallIntegerField()
    grain = models.SmallIntegerField()
    day = models.DateField()
    source_key = models.BigIntegerField()
    order_count = models.BigIntegerField(default=0, db_default=0)
    revenue_amount = AmountField(default=0, db_default=0)
    refunded_amount = AmountField(default=0, db_default=0)
    visitor_count = models.BigIntegerField(default=0, db_default=0)
    product_count = models.BigIntegerField(default=0, db_default=0)
    checkout_count = models.BigIntegerField(default=0, db_default=0)


class BuyerDay(TenantModel):
    """That a buyer paid on a day, how many orders, and when the two orders before were paid.

    `buyer` is the customer's number (8 bytes) or the digest of a guest's contact (16 bytes).
    `prev_day` is the day of the order before the first one of this day, `second_day` that of the
    one before; 1900-01-01 is none.
    """

    pk = models.CompositePrimaryKey("site", "buyer", "day")
    buyer = models.BinaryField(max_length=16)
    day = models.DateField()
    is_guest = models.BooleanField()
    order_count = models.IntegerField()
    prev_day = models.DateField()
    second_day = models.DateField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["site", "day"], name="insight_buyers_of_day")]


class BuyerTotal(TenantModel):
    """How many buyers' orders of a day had their last, or last but one, order on an earlier day.

    rank 0: buyers of the day (`prev_day` is 1900-01-01). rank 1: by the day of the order before the
    first one of the day. rank 2: the same for the order before that one, first and second order of
    the day counted each. From these the different buyers of any period, and those who bought twice
    in it, are exact sums (docs/adr/0042). Either day is kept as a day and as the first of its month
    (`grain`, `prev_grain`), so that long periods are sums of few rows.
    """

    pk = models.CompositePrimaryKey(
        *("site", "span", "rank", "grain", "prev_grain", "day", "prev_day", "is_guest")
    )
    span = models.SmallIntegerField()
    rank = models.SmallIntegerField()
    grain = models.SmallIntegerField()
    prev_grain = models.SmallIntegerField()
    day = models.DateField()
    prev_day = models.DateField()
    is_guest = models.BooleanField()
    buyer_count = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(
                fields=["site", "span", "rank", "grain", "prev_grain", "prev_day", "day"],
                name="insight_buyers_by_prev",
            ),
        ]


class Source(TenantModel):
    """Where visits came from, in words; the key is computed from them, the same for every site."""

    pk = models.CompositePrimaryKey("site", "source_key")
    source_key = models.BigIntegerField()
    kind = models.CharField(max_length=8)  # rules.SOURCE_KINDS
    host = models.CharField(max_length=80, blank=True)
    medium = models.CharField(max_length=40, blank=True)
    campaign = models.CharField(max_length=60, blank=True)
    first_day = models.DateField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(fields=["site", "first_day"], name="insight_sources_by_day")
        ]


class Visitor(TenantModel):
    """Somebody who came on a day, as a digest under the day's salt; kept for two days."""

    pk = models.CompositePrimaryKey("site", "day", "digest")
    day = models.DateField()
    digest = models.BinaryField(max_length=12)
    hour = models.SmallIntegerField()  # of the first page
    steps = models.SmallIntegerField()  # bits: 1 any page, 2 a product, 4 checkout
    source_key = models.BigIntegerField(null=True)  # null: no page from outside seen yet


class OrderSource(TenantModel):
    """From which source an order's visitor came."""

    pk = models.CompositePrimaryKey("site", "order_id")
    order_id = models.BigIntegerField()
    source_key = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(
                fields=["site", "source_key", "-order_id"], name="insight_orders_of_source"
            )
        ]


class DaySalt(models.Model):
    """What a day's visitors are digested with; deleted after two days, and the link with it."""

    day = models.DateField(primary_key=True)
    salt = models.BinaryField(max_length=32)


class ArchiveState(models.IntegerChoices):
    """How far an archive of a site has come."""

    WAITING = 1, _("排队中")
    RUNNING = 2, _("正在打包")
    READY = 3, _("可以下载")
    FAILED = 4, _("没打成")
    REMOVED = 5, _("已过期")  # its file is gone


class Archive(TenantModel):
    """Everything of one site in one file, written by the worker; at most one at a time.

    `attempt` grows with each run, so that a run that was thought dead cannot finish another's.
    """

    state = models.SmallIntegerField(choices=ArchiveState, default=ArchiveState.WAITING)
    with_contacts = models.BooleanField(default=False)  # logins and contacts in clear
    asked_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())
    attempt = models.SmallIntegerField(default=0)
    part = models.CharField(max_length=24, blank=True)  # what is being written
    done_count = models.BigIntegerField(default=0)  # rows
    total_count = models.BigIntegerField(default=0)
    file_name = models.CharField(max_length=60, blank=True)
    size_bytes = models.BigIntegerField(default=0)  # of the ZIP file, not as encrypted
    digest = models.CharField(max_length=64, blank=True)  # SHA-256 of the ZIP file
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    download_count = models.IntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(state__in=(1, 2)),
                name="insight_one_archive_at_work",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=3)
                | ~models.Q(file_name="") & models.Q(expires_at__isnull=False),
                name="insight_archive_ready",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="insight_archive_by_site")]
