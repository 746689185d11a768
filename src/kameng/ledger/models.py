"""Tables of the ledger. Written by its SQL functions only; the application role may just read."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import F, Q

from kameng.core.fields import AmountField, CurrentTransaction, Xid8Field
from kameng.tenancy.scoping import TenantModel


class Transfer(TenantModel):
    """Value moved from `debit_account` to `credit_account` because of `code`. Append-only.

    Partitioned by month (migration 0002): the key of the table is (id, created_at), `id` alone is
    unique because one sequence gives it.
    """

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=CurrentTransaction())
    debit_account = models.BigIntegerField()
    credit_account = models.BigIntegerField()
    amount = AmountField()
    code = models.SmallIntegerField()  # ledger.accounts.Code
    reference_kind = models.SmallIntegerField()  # ledger.accounts.Reference
    reference_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_transfer_positive"),
            models.CheckConstraint(
                condition=~Q(debit_account=F("credit_account")), name="ledger_transfer_two_sides"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["reference_kind", "reference_id"], name="ledger_by_reference"),
            models.Index(fields=["xid", "id"], name="ledger_commit_order"),  # roll-up, by watermark
            # Statements exist for wallets; accounts of the platform are summed by roll-up.
            models.Index(
                fields=["debit_account", "-id"],
                name="ledger_wallet_debits",
                condition=Q(debit_account__lt=0),
            ),
            models.Index(
                fields=["credit_account", "-id"],
                name="ledger_wallet_credits",
                condition=Q(credit_account__lt=0),
            ),
        ]


class Balance(TenantModel):
    """The balance of an account with a limit. Locked and changed by the ledger's functions only.

    `credit_amount` is the credit line: how far below zero it may fall. Zero for every wallet.
    """

    account_id = models.BigIntegerField(primary_key=True)
    posted_amount = AmountField(default=0)
    credit_amount = AmountField(default=0, db_default=0)
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(posted_amount__gte=-F("credit_amount")),
                name="ledger_balance_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(credit_amount__gte=0),
                name="ledger_balance_credit",
            ),
        ]


class RollUp(models.Model):
    """Totals of one account over all transfers up to the watermark of `RollUpMark`."""

    account_id = models.BigIntegerField(primary_key=True)
    site_id = models.BigIntegerField()
    debit_amount = AmountField(default=0)
    credit_amount = AmountField(default=0)


class RollUpMark(models.Model):
    """The one row that says how far the roll-up has read (transaction id, transfer id)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    xid = Xid8Field()
    transfer_id = models.BigIntegerField(default=0)


class SealBatch(models.Model):
    """A link of the chain over the ledger: the transfers with numbers in (after_id, last_id]."""

    batch_no = models.BigAutoField(primary_key=True)
    after_id = models.BigIntegerField()
    last_id = models.BigIntegerField(unique=True)
    transfer_count = models.IntegerField()
    transfer_amount = AmountField()
    row_marks = models.BinaryField()  # 8 bytes number, 4 bytes digest a transfer: names the row
    chain_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=TransactionNow())


class SealMark(models.Model):
    """The one row that says how far the chain has come, and what it waits for."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    sealed_id = models.BigIntegerField(default=0)
    pending_id = models.BigIntegerField(default=0)
    pending_xid = Xid8Field(null=True)
    pending_at = models.DateTimeField(null=True)
    sealed_at = models.DateTimeField(null=True)
