"""Tables of the catalogue. The main site's rows are read by the sites below it.

A sub-site's own categories, products and variants lie in the same tables and are read by nobody
else.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.models import Plan
from kameng.tenancy.scoping import SharedDownModel, TenantModel


class DeliveryKind(models.IntegerChoices):
    """How goods reach the buyer."""

    CARD = 1, _("自动发货")  # pre-stocked card keys
    MANUAL = 2, _("人工服务")  # an operator does it and writes the result
    TOP_UP = 3, _("直充")  # to an account; by an operator until a supplier is connected
    SITE_PLAN = 4, _("开店套餐")  # a sub-site, opened or prolonged; sold on the main site's /open/


class Category(SharedDownModel):
    """A shelf. `icon` is a name of the icon sprite, `palette_key` picks the cover's colours."""

    name = models.CharField(max_length=30)
    icon = models.CharField(max_length=40, default="category")
    position = models.IntegerField(default=0)
    is_listed = models.BooleanField(default=True)

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "name"], name="catalog_one_category_name"),
        ]


class Product(SharedDownModel):
    """What a buyer looks at. Sold as one of its variants."""

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=40)  # 商品编码, unique in the site
    title = models.CharField(max_length=80)
    brand = models.CharField(max_length=40, blank=True)
    summary = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=8000, blank=True)  # plain text, shown escaped
    tutorial = models.TextField(max_length=8000, blank=True)
    after_sale = models.TextField(max_length=4000, blank=True)
    delivery_kind = models.SmallIntegerField(choices=DeliveryKind)
    # shape: inputs.load_fields
    input_fields = models.JSONField(default=list)
    min_quantity = models.IntegerField(default=1)
    max_quantity = models.IntegerField(default=100)
    tags = ArrayField(models.CharField(max_length=16), default=list)
    keywords = models.CharField(max_length=200, blank=True)  # for search only
    weight = models.IntegerField(default=0)  # ranking, higher first
    is_pinned = models.BooleanField(default=False)
    is_listed = models.BooleanField(default=True)
    # Why the platform took a sub-site's own goods off sale; empty: it did not.
    taken_down_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    # The word for which a scan took it off sale; empty once a person of the platform decided.
    scan_word = models.CharField(max_length=40, blank=True, default="", db_default="")
    sold_count = models.BigIntegerField(default=0)  # real sales, counted from events
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="catalog_one_product_code"),
            models.CheckConstraint(
                condition=Q(min_quantity__gte=1)
                & Q(max_quantity__gte=models.F("min_quantity"))
                & Q(max_quantity__lte=1000),
                name="catalog_product_quantities",
            ),
            models.CheckConstraint(
                condition=Q(taken_down_reason="") | Q(is_listed=False),
                name="catalog_taken_down_is_unlisted",
            ),
            models.CheckConstraint(
                condition=Q(scan_word="") | ~Q(taken_down_reason=""),
                name="catalog_scanned_is_taken_down",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=~Q(scan_word=""), name="catalog_scanned"),
        ]


class WordScan(models.Model):
    """That all own goods of sub-sites were looked through with one table of refused words."""

    digest = models.CharField(max_length=64, primary_key=True)  # of the table
    finished_at = models.DateTimeField()
    looked_count = models.IntegerField()
    taken_count = models.IntegerField()


class Variant(SharedDownModel):
    """What is sold: one face value of a product, with its cost to the owner and its list price."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=40)  # 100元, 月卡
    cost_amount = AmountField()  # what the owner of the goods pays; floor of every price
    list_amount = AmountField()  # 建议售价, the main site's own price
    face_amount = AmountField(null=True)  # 面值 where it has one
    # Of goods of the kind SITE_PLAN: for which plan, for how many days (null: for good).
    plan = models.ForeignKey(Plan, null=True, on_delete=models.PROTECT, related_name="+")
    term_days = models.IntegerField(null=True)
    position = models.IntegerField(default=0)
    is_listed = models.BooleanField(default=True)

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "name"], name="catalog_one_variant_name"),
            models.CheckConstraint(
                condition=Q(cost_amount__gte=0)
                & (Q(list_amount__gt=0) | Q(list_amount=0, plan__isnull=False))
                & Q(list_amount__lte=10_000_000_000),
                name="catalog_variant_amounts",
            ),
            models.CheckConstraint(
                condition=Q(term_days__isnull=True)
                | Q(plan__isnull=False, term_days__gte=1, term_days__lte=3660),
                name="catalog_variant_term",
            ),
        ]


class Listing(TenantModel):
    """A site's own view of a main site's product: hidden, pinned. Sparse: only what differs."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    is_listed = models.BooleanField(default=True)
    is_pinned = models.BooleanField(null=True)
    weight = models.IntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "product"], name="catalog_one_listing"),
        ]


class PriceRule(TenantModel):
    """A site's mark-up: on the whole site, a category, a product or a variant.

    The most specific rule wins; arithmetic and meaning are `pricing.markups.MarkupRule`.
    """

    category = models.ForeignKey(Category, null=True, on_delete=models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, null=True, on_delete=models.CASCADE, related_name="+")
    variant = models.ForeignKey(Variant, null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8)  # rate, amount, fixed
    rate_bps = models.IntegerField(default=0)
    amount = AmountField(default=0)
    rounding = models.CharField(max_length=8, default="fen")
    cap_bps = models.IntegerField(null=True)  # never dearer than this share of the list price
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "category", "product", "variant"],
                name="catalog_one_rule_a_scope",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(rate_bps__gte=0)
                & Q(rate_bps__lte=100_000)
                & Q(amount__gte=0)
                & (Q(cap_bps__isnull=True) | Q(cap_bps__gte=1) & Q(cap_bps__lte=1_000_000)),
                name="catalog_rule_bounds",
            ),
        ]


class ImportKind(models.TextChoices):
    """What an import brings in."""

    PRODUCTS = "products", _("商品")
    CARD_KEYS = "card_keys", _("卡密")


class ImportState(models.IntegerChoices):
    """How far an import has come."""

    CHECKING = 0, _("检查中")  # the dry run goes on
    DRAFT = 1, _("待确认")  # dry run done, waits for a person
    RUNNING = 2, _("导入中")
    DONE = 3, _("已完成")
    FAILED = 4, _("失败")
    UNDONE = 5, _("已撤销")


class ImportJob(TenantModel):
    """One import of a file or pasted text: what the dry run found, how far the run has come."""

    kind = models.CharField(max_length=16, choices=ImportKind)
    state = models.SmallIntegerField(choices=ImportState, default=ImportState.DRAFT)
    filename = models.CharField(max_length=120, blank=True)
    file_path = models.CharField(max_length=200)  # encrypted upload in KAMENG_HOME, removed at end
    options = models.JSONField(default=dict)  # mapping, target variant, …
    total_count = models.IntegerField(default=0)
    done_count = models.IntegerField(default=0)
    created_count = models.IntegerField(default=0)
    updated_count = models.IntegerField(default=0)
    duplicate_count = models.IntegerField(default=0)
    problem_count = models.IntegerField(default=0)
    problems = models.JSONField(default=list)  # first 500: {"line", "code", "params"}
    undo = models.JSONField(default=dict)  # what an undo needs
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="catalog_import_by_site")]
