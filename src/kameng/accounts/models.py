"""Tables of people. Two tables for two kinds of person: `User` is staff, `Customer` buys."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
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
    CUSTOM = "custom", _("自定义")  # what a `CustomRole` of the site says


class CustomRole(TenantModel):
    """A role that a site made for itself: a name and the permissions that it gives there."""

    name = models.CharField(max_length=20)
    note = models.CharField(max_length=80, blank=True)
    permissions = ArrayField(models.CharField(max_length=32))
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "name"], name="accounts_one_custom_name"),
        ]


class SiteRole(TenantModel):
    """What a staff user may do on a site."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16, choices=Role)
    custom_role = models.ForeignKey(
        CustomRole, null=True, on_delete=models.PROTECT, related_name="+"
    )
    suspended_at = models.DateTimeField(null=True)  # from then on the role gives nothing
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "user"], name="accounts_one_role_a_site"),
            models.CheckConstraint(
                condition=models.Q(role="custom", custom_role__isnull=False)
                | ~models.Q(role="custom") & models.Q(custom_role__isnull=True),
                name="accounts_custom_role_named",
            ),
        ]


class Invitation(TenantModel):
    """A link with which one person joins the staff of a site, once. The link is not stored."""

    token_digest = models.BinaryField(max_length=32, unique=True)
    role = models.CharField(max_length=16, choices=Role)
    custom_role = models.ForeignKey(
        CustomRole, null=True, on_delete=models.PROTECT, related_name="+"
    )
    login = models.CharField(max_length=64, blank=True)  # the address it was sent to
    name = models.CharField(max_length=40, blank=True)  # what the inviter calls the person
    invited_by_id = models.BigIntegerField()  # User
    invited_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(role="custom", custom_role__isnull=False)
                | ~models.Q(role="custom") & models.Q(custom_role__isnull=True),
                name="accounts_invited_role_named",
            ),
            models.CheckConstraint(
                condition=models.Q(used_at__isnull=True, used_by__isnull=True)
                | models.Q(used_at__isnull=False, used_by__isnull=False, withdrawn_at__isnull=True),
                name="accounts_invitation_used_by_one",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="accounts_invited_by_site")]


class Totp(models.Model):
    """The secret of a person's authenticator app, encrypted; counts once it is confirmed."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    secret_cipher = models.BinaryField()
    last_step = models.BigIntegerField(default=0)  # of 30 s: a code of it or before is used up
    confirmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())


class RecoveryCode(models.Model):
    """One of the codes that let a person in without app and passkey; each works once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    code_digest = models.BinaryField(max_length=16)
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "code_digest"], name="accounts_one_recovery_code"
            ),
        ]


class Passkey(models.Model):
    """A passkey of a person for one host; only the public half is ever here."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    credential_id = models.BinaryField(max_length=1023, unique=True)
    credential = models.BinaryField()  # attested credential data: the public key
    rp_id = models.CharField(max_length=253)  # the host that it opens
    name = models.CharField(max_length=40)
    sign_count = models.BigIntegerField(default=0)  # 0 for ever: the device does not count
    created_at = models.DateTimeField(db_default=TransactionNow())
    last_used_at = models.DateTimeField(null=True)


class Device(TenantModel):
    """A browser in which a member of staff has signed in on a site, known by a cookie."""

    token_digest = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    agent = models.CharField(max_length=200, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    trusted_until = models.DateTimeField(null=True)  # no second step is asked for until then
    created_at = models.DateTimeField(db_default=TransactionNow())
    seen_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            models.Index(fields=["site", "user", "-seen_at"], name="accounts_device_by_user")
        ]


class PendingStep(TenantModel):
    """A step of signing in or proving that has begun: ten minutes, finished once.

    `state` holds the challenge of a passkey, never a secret.
    """

    token_digest = models.BinaryField(primary_key=True, max_length=32)
    purpose = models.CharField(max_length=16)  # second, sign_in, register, confirm
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    state = models.JSONField(default=dict)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="accounts_step_expiry")]


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
    confirmed_at = models.DateTimeField(db_default=TransactionNow())  # proved again: sensitive acts
    seen_at = models.DateTimeField(db_default=TransactionNow())  # staff: exact to minutes
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
