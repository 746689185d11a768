"""Tables of settlement: terms, payees and their accounts, withdrawals, bank files, splits."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.pricing.trace import format_rate
from kameng.tenancy.scoping import SharedDownModel, TenantModel


class Terms(SharedDownModel):
    """What the main site asks of withdrawals and splits: its own row, or one for a sub-site."""

    hold_hours = models.IntegerField(default=72)  # after delivery, until a margin is settled
    minimum_amount = AmountField(default=500_000)
    maximum_amount = AmountField(default=500_000_000)
    day_limit_amount = AmountField(default=1_000_000_000)
    month_limit_amount = AmountField(default=10_000_000_000)
    fee_bps = models.IntegerField(default=0)
    fee_minimum_amount = AmountField(default=0)
    tax_bps = models.IntegerField(default=0)
    withholds_tax = models.BooleanField(default=False)  # else the rate is a note only
    second_amount = AmountField(default=100_000_000)  # from here on two people approve
    large_amount = AmountField(default=200_000_000)  # from here on it is held for a look
    cooling_hours = models.IntegerField(default=24)  # of a new payout account or receiver
    changed_at = models.DateTimeField(db_default=TransactionNow())

    @property
    def fee_percent(self) -> str:
        """Return the fee as a person reads it."""
        return format_rate(self.fee_bps)

    @property
    def tax_percent(self) -> str:
        """Return the rate of the tax as a person reads it."""
        return format_rate(self.tax_bps)

    class Meta(SharedDownModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site"], name="settlement_terms_once"),
            models.CheckConstraint(
                condition=Q(hold_hours__gte=0, hold_hours__lte=2160)
                & Q(cooling_hours__gte=0, cooling_hours__lte=720)
                & Q(fee_bps__gte=0, fee_bps__lte=2000)
                & Q(tax_bps__gte=0, tax_bps__lte=4500),
                name="settlement_terms_bounds",
            ),
            models.CheckConstraint(
                condition=Q(minimum_amount__gt=0, maximum_amount__gte=F("minimum_amount"))
                & Q(fee_minimum_amount__gte=0),
                name="settlement_terms_range",
            ),
        ]


class OwnerKind(models.IntegerChoices):
    """Whose claim is paid out."""

    SITE = 1, _("分站")
    CUSTOMER = 2, _("客户")


class Payee(TenantModel):
    """Who has a claim. Its row is locked by everything that takes from the claim."""

    owner_kind = models.SmallIntegerField(choices=OwnerKind)
    owner_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "owner_kind", "owner_id"], name="settlement_payee_once"
            ),
        ]


class AccountKind(models.TextChoices):
    """Where a payout goes."""

    ALIPAY = "alipay", _("支付宝")
    WECHAT = "wechat", _("微信")
    BANK = "bank", _("银行卡")


class PayoutAccount(TenantModel):
    """An account that payouts go to; never changed, only replaced. Encrypted, shown masked."""

    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="+")
    account_no = models.CharField(max_length=32, unique=True)  # binds the ciphers to the row
    kind = models.CharField(max_length=16, choices=AccountKind)
    account_cipher = models.BinaryField()
    name_cipher = models.BinaryField()
    digest = models.BinaryField(max_length=16)  # keyed, of kind and account
    bank_name = models.CharField(max_length=60, blank=True)
    hint = models.CharField(max_length=64)
    added_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    usable_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payee", "digest"],
                condition=Q(removed_at__isnull=True),
                name="settlement_account_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "payee"], name="settlement_account_by_payee"),
        ]


class Source(models.IntegerChoices):
    """Which claim a withdrawal takes from."""

    MARGIN = 1, _("分站利润")
    PREPAID = 2, _("预存货款")
    WALLET = 3, _("客户余额")


class WithdrawalState(models.IntegerChoices):
    """The labels of `rules.State`."""

    REQUESTED = 1, _("待审核")
    APPROVED = 2, _("待打款")
    SENDING = 3, _("打款中")
    IN_BATCH = 4, _("在银行批次中")
    PAID = 5, _("已打款")
    REFUSED = 6, _("已驳回")
    FAILED = 7, _("打款失败")
    TAKEN_BACK = 8, _("已撤回")
    RETURNED = 9, _("已退票")


class PayoutBatch(TenantModel):
    """A file of payouts for the bank, of the main site; its result is matched back by number."""

    batch_no = models.CharField(max_length=32, unique=True)
    count = models.IntegerField()
    total_amount = AmountField()
    made_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="settlement_batch_by_site")]


class Withdrawal(TenantModel):
    """A claim that its owner asked to be paid out. `payout_no` is what gateway or bank knows.

    amount = fee + tax + payout; risk_codes hold it for a look, decided by a person.
    """

    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(PayoutAccount, on_delete=models.PROTECT, related_name="+")
    withdrawal_no = models.CharField(max_length=32, unique=True)
    payout_no = models.CharField(max_length=32, unique=True)
    source = models.SmallIntegerField(choices=Source)
    amount = AmountField()
    fee_amount = AmountField(default=0)
    tax_amount = AmountField(default=0)
    payout_amount = AmountField()
    tax_bps = models.IntegerField(default=0)
    approvals_needed = models.SmallIntegerField(default=1)
    risk_codes = ArrayField(models.CharField(max_length=24), default=list)
    state = models.SmallIntegerField(choices=WithdrawalState, default=WithdrawalState.REQUESTED)
    asked_by_id = models.BigIntegerField(null=True)
    asked_by = models.CharField(max_length=64)
    idempotency_key = models.CharField(max_length=64)
    gateway_id = models.BigIntegerField(null=True)
    batch = models.ForeignKey(PayoutBatch, null=True, on_delete=models.PROTECT, related_name="+")
    asked_count = models.SmallIntegerField(default=0)  # how often the gateway was asked
    next_attempt_at = models.DateTimeField(null=True)
    external_no = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    decided_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    recheck_at = models.DateTimeField(null=True)  # paid: when to ask whether it came back
    confirm_cipher = models.BinaryField(null=True)  # what the receiver's app needs, until the end
    confirm_until = models.DateTimeField(null=True)  # set when it first waited for its receiver
    returned_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payee", "idempotency_key"], name="settlement_withdrawal_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    payout_amount__gt=0,
                    fee_amount__gte=0,
                    tax_amount__gte=0,
                    amount=F("payout_amount") + F("fee_amount") + F("tax_amount"),
                ),
                name="settlement_withdrawal_parts",
            ),
            models.CheckConstraint(
                condition=~Q(gateway_id__isnull=False, batch__isnull=False),
                name="settlement_withdrawal_one_way",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="settlement_withdrawal_by_site"),
            models.Index(fields=["payee", "-id"], name="settlement_withdrawal_by_payee"),
            models.Index(
                fields=["gateway_id", "ended_at"],
                name="settlement_payout_by_end",
                condition=Q(state__in=(5, 9)),
            ),
            models.Index(
                fields=["external_no"],
                name="settlement_payout_by_number",
                condition=~Q(external_no=""),
            ),
            models.Index(
                fields=["next_attempt_at"], name="settlement_payout_due", condition=Q(state=3)
            ),
            models.Index(
                fields=["recheck_at"], name="settlement_payout_recheck", condition=Q(state=5)
            ),
            models.Index(
                fields=["state", "id"],
                name="settlement_withdrawal_open",
                condition=Q(state__in=(1, 2, 3, 4)),
            ),
        ]


class Approval(TenantModel):
    """One person's yes to a withdrawal."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="+")
    user_id = models.BigIntegerField()
    user_name = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["withdrawal", "user_id"], name="settlement_approval_once"
            ),
        ]


class ReceiverState(models.IntegerChoices):
    """Whether the gateway knows a receiver."""

    ENTERED = 1, _("待核实")  # the gateway was not asked yet, or did not answer
    ACTIVE = 2, _("已核实")
    REFUSED = 3, _("未通过")
    REMOVED = 4, _("已移除")


class SplitReceiver(TenantModel):
    """Who gets a sub-site's share at one gateway of the main site. Never changed, only replaced."""

    receiver_no = models.CharField(max_length=32, unique=True)
    gateway_id = models.BigIntegerField()
    kind = models.CharField(max_length=24)  # a word of the gateway: abilities.Splitter
    account_cipher = models.BinaryField()
    name_cipher = models.BinaryField()
    hint = models.CharField(max_length=64)
    state = models.SmallIntegerField(choices=ReceiverState, default=ReceiverState.ENTERED)
    reason = models.CharField(max_length=200, blank=True)
    added_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    usable_at = models.DateTimeField()
    forget_at = models.DateTimeField(null=True)  # removed: when its gateway shall forget it
    forget_count = models.SmallIntegerField(default=0)  # how often that was tried
    forgotten_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "gateway_id"],
                condition=Q(state__in=(1, 2)),
                name="settlement_receiver_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["forget_at"],
                name="settlement_receiver_forget",
                condition=Q(forget_at__isnull=False),
            ),
        ]


class SplitState(models.IntegerChoices):
    """The labels of `rules.SplitState`."""

    WAITING = 1, _("待分账")
    ASKED = 2, _("分账中")
    DONE = 3, _("已分账")
    REFUSED = 4, _("分账失败")
    FINISHING = 5, _("解冻中")
    FINISHED = 6, _("已解冻")
    STAYS = 7, _("留作应付")


class Split(TenantModel):
    """A sub-site's share of one payment, handed over by its gateway. One a payment.

    `amount` is what was asked for last; `reason` is a code of `rules.REASONS`, `last_error` the
    gateway's own words.
    """

    order_id = models.BigIntegerField(null=True)  # NULL: a payment that paid for nothing
    payment_id = models.BigIntegerField(null=True)  # NULL: paid from the wallet
    gateway_id = models.BigIntegerField(null=True)
    receiver = models.ForeignKey(
        SplitReceiver, null=True, on_delete=models.PROTECT, related_name="+"
    )
    split_no = models.CharField(max_length=32, unique=True)
    amount = AmountField(default=0)
    returned_amount = AmountField(default=0)
    margin_amount = AmountField(default=0)  # of the order through this payment, when planned
    state = models.SmallIntegerField(choices=SplitState, default=SplitState.WAITING)
    reason = models.CharField(max_length=24, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    external_no = models.CharField(max_length=64, blank=True)
    delivered_at = models.DateTimeField()
    finish_by = models.DateTimeField()  # then the rest is freed, whatever happened
    asked_count = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment_id"],
                condition=Q(payment_id__isnull=False),
                name="settlement_split_once",
            ),
            models.UniqueConstraint(
                fields=["order_id"],
                condition=Q(order_id__isnull=False),
                name="settlement_split_of_order",
            ),
            models.CheckConstraint(
                condition=Q(
                    amount__gte=0, returned_amount__gte=0, returned_amount__lte=F("amount")
                ),
                name="settlement_split_amounts",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="settlement_split_by_site"),
            models.Index(
                fields=["gateway_id", "done_at"],
                name="settlement_split_by_end",
                condition=Q(state=3),
            ),
            models.Index(
                fields=["external_no"],
                name="settlement_split_by_number",
                condition=~Q(external_no=""),
            ),
            models.Index(
                fields=["next_attempt_at"],
                name="settlement_split_due",
                condition=Q(state__in=(1, 2, 5)),
            ),
        ]


class ReturnState(models.IntegerChoices):
    """How far the return of a share has come."""

    WAITING = 1, _("回退中")
    DONE = 2, _("已回退")
    REFUSED = 3, _("回退失败")  # the receiver has not enough: the claim carries it
    NOT_NEEDED = 4, _("无需回退")  # the share had not been handed over


class SplitReturn(TenantModel):
    """A share, or part of it, taken back for a refund of the order."""

    split = models.ForeignKey(Split, on_delete=models.PROTECT, related_name="+")
    return_no = models.CharField(max_length=32, unique=True)
    refund_id = models.BigIntegerField(unique=True)
    refund_no = models.CharField(max_length=32)
    amount = AmountField()
    state = models.SmallIntegerField(choices=ReturnState, default=ReturnState.WAITING)
    last_error = models.CharField(max_length=200, blank=True)
    external_no = models.CharField(max_length=64, blank=True)
    asked_count = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=TransactionNow())
    created_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="settlement_return_positive"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="settlement_return_due", condition=Q(state=1)
            ),
            models.Index(fields=["split"], name="settlement_return_by_split"),
            models.Index(fields=["done_at"], name="settlement_return_by_end", condition=Q(state=2)),
            models.Index(
                fields=["external_no"],
                name="settlement_return_by_number",
                condition=~Q(external_no=""),
            ),
        ]
