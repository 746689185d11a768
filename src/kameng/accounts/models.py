"""Tables of people. Two tables for two kinds of person: `User` is staff, `Customer` buys."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.utils.translation import gettext_lazy as _

from kameng.tenancy.models import Site
from kameng.tenancy.scoping import TenantModel


class User(models.Model):
    """A member of staff: of the platform, or of one or more sub-sites through `SiteRole`."""

    login = models.CharField(max_length=64, unique=True)  # lower-case
    display_name = models.CharField(max_length=40)
    password = models.CharField(max_length=200)
    is_platform = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    last_signed_in_at = models.DateTimeField(null=True)


class Role(models.TextChoices):
    """What a member of staff is on a site; `accounts.rules` says what each may do."""

    OWNER = "owner", _("站长")
    MANAGER = "manager", _("管理员")
    GOODS = "goods", _("商品")
    SERVICE = "service", _("客服")
    FINANCE = "finance", _("财务")
    VIEWER = "viewer", _("只读")


class SiteRole(TenantModel):
    """What a staff user may do on a site."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "user"], name="accounts_one_role_a_site"),
        ]


class Customer(TenantModel):
    """A buyer with an account on one site. The login (e-mail or phone) is stored encrypted."""

    login_digest = models.BinaryField(max_length=16)
    login_cipher = models.BinaryField()
    login_kind = models.CharField(max_length=8)  # email, phone
    login_hint = models.CharField(max_length=64)  # masked: 138****8000
    nickname = models.CharField(max_length=40)
    password = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    note = models.CharField(max_length=200, blank=True)  # the operator's own remark
    named_at = models.DateTimeField(null=True)  # staff know the real name: the higher cap counts
    flagged_at = models.DateTimeField(null=True)  # staff watch this customer
    flag_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    last_signed_in_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "login_digest"], name="accounts_one_login_a_site"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="accounts_customer_by_site")]


class Session(TenantModel):
    """One signed-in browser on one site: of a customer or of a staff user, never both."""

    token_digest = models.BinaryField(primary_key=True, max_length=32)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    ip = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=200, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(customer__isnull=False, user__isnull=True)
                | models.Q(customer__isnull=True, user__isnull=False),
                name="accounts_session_of_one_person",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="accounts_session_expiry")]


class OneTimeCode(TenantModel):
    """A short code sent to a contact: bound to site, purpose and contact; used once."""

    purpose = models.CharField(max_length=24)  # order_lookup, password_reset
    target_digest = models.BinaryField(max_length=16)
    code_digest = models.BinaryField(max_length=16)
    attempts_left = models.SmallIntegerField(default=5)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(
                fields=["site", "purpose", "target_digest", "-id"], name="accounts_code_by_target"
            ),
        ]


class ApprovalState(models.IntegerChoices):
    """What became of a wish that a second person must approve."""

    WAITING = 1, _("待复核")
    APPROVED = 2, _("已通过")
    REFUSED = 3, _("已拒绝")
    WITHDRAWN = 4, _("已撤回")  # by who asked
    EXPIRED = 5, _("已过期")


class Approval(TenantModel):
    """An act above the site's threshold, as one person wished it; another one carries it out.

    `wish` says all that the act needs, so that what is approved is exactly what was asked for.
    """

    kind = models.CharField(max_length=32)  # who hears ApprovalGiven knows it: payment.confirm …
    permission = models.CharField(max_length=32)  # what both persons must be allowed to do
    subject_id = models.BigIntegerField()  # the payment, customer, refund … that it is about
    amount = models.BigIntegerField()  # 1/10000 yuan, never negative: what the threshold was for
    wish = models.JSONField()
    reason = models.CharField(max_length=400)
    state = models.SmallIntegerField(choices=ApprovalState, default=ApprovalState.WAITING)
    asked_by_id = models.BigIntegerField()  # User
    asked_by = models.CharField(max_length=64)
    decided_by_id = models.BigIntegerField(null=True)
    decided_by = models.CharField(max_length=64, blank=True)
    decision_note = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "kind", "subject_id"],
                condition=models.Q(state=1),
                name="accounts_one_open_approval",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="accounts_approval_amount"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=2)
                | models.Q(decided_by_id__isnull=False, decided_at__isnull=False)
                & ~models.Q(decided_by_id=models.F("asked_by_id")),
                name="accounts_approved_by_another",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="accounts_approval_by_site")]


class OfferState(models.IntegerChoices):
    """What became of the offer of a site to another person."""

    OPEN = 1, _("等待接手")
    ACCEPTED = 2, _("已接手")
    WITHDRAWN = 3, _("已撤回")  # by who offered
    DECLINED = 4, _("已谢绝")  # by who was asked
    EXPIRED = 5, _("已过期")


class SiteOffer(TenantModel):
    """A site offered to another person by a link that works once, for one login, for a time."""

    token_digest = models.BinaryField(unique=True, max_length=32)
    receiver_login = models.CharField(max_length=64)  # lower-case; may be nobody's yet
    reason = models.CharField(max_length=200, blank=True)
    offered_by = models.CharField(max_length=100)
    offered_by_id = models.BigIntegerField()
    is_by_platform = models.BooleanField(default=False)
    state = models.SmallIntegerField(choices=OfferState, default=OfferState.OPEN)
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    receiver_id = models.BigIntegerField(null=True)  # User
    keeps_manager = models.BooleanField(null=True)  # who had it stays as manager

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(state=1), name="accounts_one_open_offer"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=2)
                | models.Q(receiver_id__isnull=False, ended_at__isnull=False),
                name="accounts_offer_accepted",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="accounts_offer_by_site")]
