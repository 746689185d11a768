"""Tables of the books against the world: bills, their lines, differences, closed months.

Rows belong to the site that owns the gateway: the main one, or a sub-site with an account of its
own.
"""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


class BillState(models.IntegerChoices):
    """How far the bill of a day has come; what differs is counted by its open cases."""

    WAITING = 1, _("等待账单")
    MATCHED = 2, _("已核对")
    FAILED = 3, _("取不到账单")


class BillSourceKind(models.IntegerChoices):
    """Where a bill came from."""

    FETCHED = 1, _("自动下载")
    UPLOADED = 2, _("人工上传")


class Bill(TenantModel):
    """What a gateway says of one day (Beijing time), compared with what we booked."""

    gateway_id = models.BigIntegerField()
    day = models.DateField()
    state = models.SmallIntegerField(choices=BillState, default=BillState.WAITING)
    source = models.SmallIntegerField(choices=BillSourceKind, default=BillSourceKind.FETCHED)
    asked_count = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)  # NULL: nobody asks by itself
    last_error = models.CharField(max_length=200, blank=True)
    line_count = models.IntegerField(default=0)
    matched_count = models.IntegerField(default=0)
    carried_count = models.IntegerField(default=0)  # booked near midnight: on the next day's bill
    uncompared_count = models.IntegerField(default=0)  # kinds that nothing here is compared with
    received_amount = AmountField(default=0)
    refunded_amount = AmountField(default=0)
    fee_amount = AmountField(default=0)
    fetched_at = models.DateTimeField(null=True)
    matched_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "gateway_id", "day"], name="reconciliation_bill_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"],
                name="reconciliation_bill_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
        ]


class BillFile(TenantModel):
    """A bill as it came, compressed, with the SHA-256 of what was fetched: the evidence."""

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="+")
    raw_digest = models.BinaryField(max_length=32)
    compressed = models.BinaryField()
    name = models.CharField(max_length=120, blank=True)
    received_by = models.CharField(max_length=100, blank=True)
    is_account = models.BooleanField(default=False, db_default=False)  # silent about payments
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bill", "raw_digest"], name="reconciliation_file_once"),
        ]


class LineState(models.IntegerChoices):
    """What became of a line when it was compared."""

    NEW = 0, _("未核对")
    MATCHED = 1, _("一致")
    DIFFERENT = 2, _("有差异")
    UNCOMPARED = 3, _("不参与核对")


class BillRow(TenantModel):
    """One line of a bill; the same line read again is the same row."""

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    digest = models.BinaryField(max_length=32)
    kind = models.CharField(max_length=16)  # abilities.LineKind, or "unreadable"
    own_no = models.CharField(max_length=64, blank=True)
    payment_no = models.CharField(max_length=64, blank=True)
    external_no = models.CharField(max_length=64, blank=True)
    amount = AmountField()
    fee_amount = AmountField()
    happened_at = models.DateTimeField()
    text = models.CharField(max_length=1000)
    state = models.SmallIntegerField(choices=LineState, default=LineState.NEW)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bill", "digest"], name="reconciliation_line_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["own_no"], name="reconciliation_line_own"),
            models.Index(fields=["external_no"], name="reconciliation_line_ext"),
        ]


class CaseKind(models.IntegerChoices):
    """In what the two sides differ."""

    MISSING_HERE = 1, _("账单有，系统没有")
    MISSING_THERE = 2, _("系统有，账单没有")
    AMOUNT_DIFFERS = 3, _("金额不同")
    FEE_DIFFERS = 4, _("手续费不同")
    STATE_DIFFERS = 5, _("状态不同")
    DUPLICATE = 6, _("账单重复")
    UNREADABLE = 7, _("看不懂的行")


class CaseState(models.IntegerChoices):
    """Whether somebody still has to decide."""

    OPEN = 1, _("待处理")
    CLOSED = 2, _("已关闭")


class Case(TenantModel):
    """A difference between a bill and the books, with both sides, until a person closes it."""

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="+")
    gateway_id = models.BigIntegerField()
    kind = models.SmallIntegerField(choices=CaseKind)
    state = models.SmallIntegerField(choices=CaseState, default=CaseState.OPEN)
    subject = models.CharField(max_length=120)  # line kind and number: one case a difference
    line_kind = models.CharField(max_length=16)
    own_no = models.CharField(max_length=64, blank=True)
    external_no = models.CharField(max_length=64, blank=True)
    subject_site_id = models.BigIntegerField(null=True)  # whose payment or refund it is
    stake_amount = AmountField()  # money here and there apart, signed: bill less books
    ours = models.JSONField(null=True)
    theirs = models.JSONField(null=True)
    assignee_id = models.BigIntegerField(null=True)
    found_day = models.DateField(null=True)  # a later bill has what this one lacked
    gone_at = models.DateTimeField(null=True)  # compared again, the difference was not there
    booked_amount = AmountField(null=True)  # what a person had booked as a difference, once
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    @property
    def case_no(self) -> str:
        """Return the printed number."""
        return f"C{self.id:08d}"

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "gateway_id", "kind", "subject"], name="reconciliation_case_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "state", "-id"], name="reconciliation_case_list"),
            models.Index(fields=["own_no"], name="reconciliation_case_own"),
        ]


class CaseNote(TenantModel):
    """What was said or done about a case, by whom. Append-only."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    act = models.CharField(max_length=16)  # noted, assigned, closed, reopened, queried, booked
    actor_name = models.CharField(max_length=100)
    text = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["case", "id"], name="reconciliation_note_case")]


class MonthClose(TenantModel):
    """A month whose books are closed: what the ledger's chain said of it, for good."""

    month = models.DateField()  # its first day, Beijing time
    reason = models.CharField(max_length=500, blank=True)  # why it was closed with open days
    open_day_count = models.IntegerField(default=0)
    open_case_count = models.IntegerField(default=0)
    batch_no = models.BigIntegerField()  # the chain up to and with this batch
    chain_hash = models.BinaryField(max_length=32)
    transfer_count = models.BigIntegerField()
    transfer_amount = AmountField()
    totals_digest = models.BinaryField(max_length=32)
    totals = models.JSONField()  # [account, debits, credits] of the month, by account
    closed_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "month"], name="reconciliation_month_once"),
        ]
