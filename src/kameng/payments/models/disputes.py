"""Tables of disputes, and of what is handed in against them."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.payments.models.attempts import Payment
from kameng.tenancy.scoping import TenantModel


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
