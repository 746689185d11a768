"""Tables of the frame: the event log with its readers' positions, and the audit log."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models

from kameng.core.fields import CurrentTransaction, Xid8Field


class EventRow(models.Model):
    """One published fact. Appended in the transaction of the change, read in batches behind it."""

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=CurrentTransaction())
    kind = models.CharField(max_length=64)
    site_id = models.BigIntegerField()
    subject_id = models.BigIntegerField()
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "core_event"
        # Readers go by transaction id, then sequence: a late commit is not skipped.
        indexes: ClassVar = [models.Index(fields=["xid", "id"], name="core_event_position")]


class EventPosition(models.Model):
    """How far one consumer has read: everything up to (xid, event id) has taken effect."""

    consumer = models.CharField(primary_key=True, max_length=64)
    xid = Xid8Field()
    event_id = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "core_eventposition"


class AuditEntry(models.Model):
    """One sensitive act: who, what, on which thing, why. Sealed into a hash chain by the worker."""

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=CurrentTransaction())
    site_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=16)  # user, customer, system
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=64)  # dotted verb: inventory.batch.withdrawn
    subject_kind = models.CharField(max_length=32, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)
    ip = models.CharField(max_length=45, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    sealed_hash = models.BinaryField(null=True)
    seal_no = models.BigIntegerField(null=True, unique=True)

    class Meta:
        db_table = "core_auditentry"
        indexes: ClassVar = [
            models.Index(fields=["site_id", "-id"], name="core_audit_by_site"),
            models.Index(fields=["subject_kind", "subject_id"], name="core_audit_by_subject"),
            models.Index(
                fields=["xid", "id"],
                name="core_audit_unsealed",
                condition=models.Q(sealed_hash__isnull=True),
            ),
        ]
