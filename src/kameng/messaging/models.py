"""Tables of messages."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.utils.translation import gettext_lazy as _

from kameng.tenancy.scoping import TenantModel


class InboxMessage(TenantModel):
    """A message that a customer reads on the site. `dedupe_key` makes a repeated event harmless."""

    customer_id = models.BigIntegerField()
    title = models.CharField(max_length=80)
    body = models.TextField(max_length=2000)
    link = models.CharField(max_length=200, blank=True)
    dedupe_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    read_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "customer_id", "dedupe_key"], name="messaging_inbox_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "customer_id", "-id"], name="messaging_inbox_by_customer"),
        ]


class OperatorNotice(TenantModel):
    """What the operator of a site finds at the top of the back office until somebody has seen it.

    `kind` names the sentence, `values` fill it: it is read in the language of who reads.
    """

    kind = models.CharField(max_length=30)
    values = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    seen_at = models.DateTimeField(null=True)
    seen_by = models.CharField(max_length=100, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "dedupe_key"], name="messaging_operator_notice_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["site", "-id"],
                condition=models.Q(seen_at__isnull=True),
                name="messaging_notices_unseen",
            ),
        ]


class EmailState(models.IntegerChoices):
    """How far an e-mail has come."""

    WAITING = 1, _("待发送")
    SENT = 2, _("已发送")
    FAILED = 3, _("发送失败")  # gave up; shown to the operator


class Audience(models.IntegerChoices):
    """Whom an e-mail is for: it wears the look of the shop, to staff that of the main site."""

    BUYER = 1, _("买家")
    STAFF = 2, _("员工")


class Email(TenantModel):
    """An e-mail to send. Address and text are encrypted; the worker decrypts to send."""

    to_cipher = models.BinaryField()
    subject = models.CharField(max_length=120)
    body_cipher = models.BinaryField()
    audience = models.SmallIntegerField(choices=Audience, db_default=Audience.BUYER)
    language = models.CharField(max_length=12, db_default="zh-hans")  # its words' own
    state = models.SmallIntegerField(choices=EmailState, default=EmailState.WAITING)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=TransactionNow())
    last_error = models.CharField(max_length=200, blank=True)
    dedupe_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "dedupe_key"], name="messaging_email_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"],
                name="messaging_email_waiting",
                condition=models.Q(state=1),
            ),
        ]
