"""Tables of sites: the tree of sites, their domains, the plans they are on."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import AmountField
from kameng.tenancy.scoping import TenantModel


class SiteKind(models.IntegerChoices):
    """Whose goods a site sells: its own or its parent's (a child buys them through its upline)."""

    MAIN = 1, _("主站")  # the one at the root: owns the goods
    BRANCH = 2, _("分站")  # resells under its own name


class SiteState(models.IntegerChoices):
    """Whether a site sells."""

    OPEN = 1, _("营业中")
    SUSPENDED = 2, _("已停用")  # the next request already sees a notice
    CLOSED = 3, _("已关店")  # for good, unless the main site undoes it in time
    CLOSING = 4, _("关店中")  # sells nothing new; what is open is brought to its end


class SettlementWay(models.IntegerChoices):
    """How a sub-site comes to its share of a sale; where the buyer's money goes."""

    CLAIM = 0, _("记账提现")  # to the main site; the share is a claim, paid out on request
    SPLIT = 1, _("支付分账")  # to the main site; the gateway hands the share over, each payment
    PREPAID = 2, _("预存进货")  # to the operator's own merchant account; wholesale is prepaid


class Plan(models.Model):
    """What a sub-site pays for goods: the main site's cost plus a rate. Owned by the platform."""

    name = models.CharField(max_length=40, unique=True)
    description = models.CharField(max_length=200, blank=True)
    wholesale_markup_bps = models.IntegerField()  # over the main site's cost
    wholesale_minimum_amount = models.BigIntegerField(
        default=0
    )  # least margin a piece, 1/10000 yuan
    is_offered = models.BooleanField(default=True)
    position = models.IntegerField(default=0)
    # What a site on this plan may have at most; null: as much as it likes; 0: none.
    domains_most = models.IntegerField(null=True, default=1, db_default=1)  # of its own
    staff_most = models.IntegerField(null=True, default=5, db_default=5)  # besides the owner
    own_goods_most = models.IntegerField(null=True, default=0, db_default=0)  # products
    child_sites_most = models.IntegerField(null=True, default=0, db_default=0)
    own_goods_share_bps = models.IntegerField(default=500, db_default=500)  # the platform's part
    grace_days = models.SmallIntegerField(default=7, db_default=7)  # sells on after its term

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(domains_most__isnull=True) | models.Q(domains_most__gte=0),
                name="tenancy_plan_domains",
            ),
            models.CheckConstraint(
                condition=models.Q(staff_most__isnull=True) | models.Q(staff_most__gte=0),
                name="tenancy_plan_staff",
            ),
            models.CheckConstraint(
                condition=models.Q(own_goods_most__isnull=True) | models.Q(own_goods_most__gte=0),
                name="tenancy_plan_own_goods",
            ),
            models.CheckConstraint(
                condition=models.Q(child_sites_most__isnull=True)
                | models.Q(child_sites_most__gte=0),
                name="tenancy_plan_child_sites",
            ),
            models.CheckConstraint(
                condition=models.Q(own_goods_share_bps__gte=0)
                & models.Q(own_goods_share_bps__lte=10_000),
                name="tenancy_plan_share",
            ),
            models.CheckConstraint(
                condition=models.Q(grace_days__gte=0) & models.Q(grace_days__lte=365),
                name="tenancy_plan_grace",
            ),
            models.CheckConstraint(
                condition=models.Q(wholesale_markup_bps__gte=0)
                & models.Q(wholesale_markup_bps__lte=100_000),
                name="tenancy_plan_markup",
            ),
            models.CheckConstraint(
                condition=models.Q(wholesale_minimum_amount__gte=0), name="tenancy_plan_minimum"
            ),
        ]
        ordering: ClassVar = ["position", "id"]


class Site(models.Model):
    """One shop. `catalogue_version` grows with every change that can move a price or a listing."""

    kind = models.SmallIntegerField(choices=SiteKind)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    # The sub-site through which a child site buys; its plan is then that one's (sql/uplines.sql).
    upline = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    # What a child pays over its upline's wholesale price: on a sub-site the terms for its children,
    # on a child its own instead of those.
    child_markup_bps = models.IntegerField(null=True)
    child_minimum_amount = models.BigIntegerField(null=True)  # least a piece, 1/10000 yuan
    plan = models.ForeignKey(Plan, null=True, on_delete=models.PROTECT, related_name="+")
    slug = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    state = models.SmallIntegerField(choices=SiteState, default=SiteState.OPEN)
    suspended_reason = models.CharField(max_length=200, blank=True)
    # Suspended by its upline, which may let it sell again; what the main site suspended it may not.
    halted_by_upline = models.BooleanField(default=False, db_default=False)
    # Its paid term ends here; null: no end. It sells on for the plan's days of grace.
    expires_at = models.DateTimeField(null=True)
    # The term's end and the grace after it, as one moment that a request compares (sql/sites.sql).
    lapses_at = models.DateTimeField(null=True)
    settlement_way = models.SmallIntegerField(
        choices=SettlementWay, default=SettlementWay.CLAIM, db_default=SettlementWay.CLAIM
    )
    catalogue_version = models.BigIntegerField(default=1)
    settings = models.JSONField(default=dict)  # read through tenancy.settings.SiteSettings only
    created_at = models.DateTimeField(db_default=TransactionNow())
    # An upline and its children have one: lists keep them together by an index (site_lists).
    family_id = models.GeneratedField(
        expression=Coalesce("upline_id", "id"),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(kind=1), name="tenancy_one_main_site"
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(kind=1, parent__isnull=True)
                    | models.Q(kind=2, parent__isnull=False, plan__isnull=False)
                ),
                name="tenancy_branch_has_parent",
            ),
            models.CheckConstraint(
                condition=models.Q(settlement_way=0) | models.Q(kind=2, settlement_way__in=(1, 2)),
                name="tenancy_settlement_way",
            ),
            models.CheckConstraint(
                condition=models.Q(upline__isnull=True)
                | (models.Q(kind=2, settlement_way=0) & ~models.Q(upline=models.F("id"))),
                name="tenancy_child_is_simple",
            ),
            models.CheckConstraint(
                condition=models.Q(child_markup_bps__isnull=True, child_minimum_amount__isnull=True)
                | models.Q(
                    kind=2,
                    child_markup_bps__gte=0,
                    child_markup_bps__lte=100_000,
                    child_minimum_amount__gte=0,
                    child_minimum_amount__lte=10_000_000_000,
                ),
                name="tenancy_child_terms",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__isnull=True, lapses_at__isnull=True)
                | models.Q(kind=2, lapses_at__gte=models.F("expires_at")),
                name="tenancy_term",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at", "id"],
                name="tenancy_by_end",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index(
                fields=["lapses_at"],
                name="tenancy_by_lapse",
                condition=models.Q(lapses_at__isnull=False),
            ),
            models.Index(fields=["id"], name="tenancy_suspended", condition=models.Q(state=2)),
            models.Index(
                models.F("family_id").desc(),
                models.F("upline_id").asc(nulls_first=True),
                models.F("id").desc(),
                name="tenancy_by_family",
            ),
        ]

    @property
    def is_main(self) -> bool:
        """Tell whether this is the main site."""
        return self.kind == SiteKind.MAIN

    @property
    def main_id(self) -> int:
        """Return the id of the main site this one resells for (its own when it is the main)."""
        return self.id if self.parent_id is None else self.parent_id


class Domain(models.Model):
    """A host name that leads to a site. Lower-case ASCII (IDNA), without port."""

    host = models.CharField(max_length=253, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    is_primary = models.BooleanField(default=False)
    # Proved by the site's operator (`DomainClaim`); else an address that the platform gave.
    is_own = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(is_primary=True), name="tenancy_one_primary"
            ),
        ]


class ClaimState(models.IntegerChoices):
    """How far a site has come with a domain of its own."""

    WAITING = 1, _("等待解析")  # nothing is proved yet: the host leads nowhere
    VERIFIED = 2, _("已验证")  # proved; its records or its certificate are still to come
    LIVE = 3, _("已上线")
    AWAY = 4, _("解析已失效")  # was proved, and has led elsewhere for a while
    EXPIRED = 5, _("已过期")  # not proved in time
    RELEASED = 6, _("已移除")  # by the operator, or because another proved it


class DomainClaim(TenantModel):
    """A host that a site says is its own: the token that proves it, what was found, what is next.

    Rows stay after the claim ended: who comes later proves more (`proving.Standing`).
    """

    host = models.CharField(max_length=253)  # as in `Domain`
    token = models.CharField(max_length=40)
    state = models.SmallIntegerField(choices=ClaimState, default=ClaimState.WAITING)
    wants_primary = models.BooleanField(default=False)  # becomes the primary once it is live
    was_elsewhere = models.BooleanField(default=False)  # seen leading elsewhere since claimed
    proof = models.SmallIntegerField(default=0)  # tenancy.proving.Proof
    points = models.BooleanField(default=False)  # led here at the last look
    findings = models.JSONField(default=dict)  # of the last look: tenancy.claims.Findings
    checked_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(null=True)  # null: not looked at any more
    away_since = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    live_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)  # null once proved
    certificate_ends_at = models.DateTimeField(null=True)
    certificate_checked_at = models.DateTimeField(null=True)
    certificate_fault = models.CharField(max_length=20, blank=True)  # core.certificates.Shown
    claimed_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "host"], name="tenancy_claim_once"),
            models.UniqueConstraint(
                fields=["host"],
                condition=models.Q(state__in=(2, 3, 4)),
                name="tenancy_claim_proved",
            ),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(wants_primary=True),
                name="tenancy_claim_one_primary",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=(1, 5, 6), proof=0)
                | models.Q(state__in=(2, 3, 4), proof__gte=1, verified_at__isnull=False),
                name="tenancy_claim_proof",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["host"], name="tenancy_claim_host"),
            models.Index(
                fields=["next_check_at"],
                condition=models.Q(next_check_at__isnull=False),
                name="tenancy_claim_due",
            ),
        ]


class TermKind(models.IntegerChoices):
    """How a term came about."""

    OPENED = 1, _("开店")
    RENEWED = 2, _("续期")
    CHANGED = 3, _("换套餐")
    BY_HAND = 4, _("主站调整")
    TAKEN_BACK = 5, _("退款收回")  # what is left once a refund took its time back


class SiteTerm(TenantModel):
    """A stretch of time for which a site has a plan: bought by an order, or given by hand.

    The terms that nothing replaced follow each other; the last of them ends when the site does.
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    kind = models.SmallIntegerField(choices=TermKind)
    order_id = models.BigIntegerField(null=True, unique=True)  # of the main site; null: by hand
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)  # null: for good
    # What it is worth over its whole length: what was paid, and what an earlier plan left over.
    value_amount = AmountField(default=0)
    carried_days = models.IntegerField(default=0, db_default=0)  # of it, by what was left over
    replaced_at = models.DateTimeField(null=True)  # by a change of plan, by hand, by a refund
    refunded_at = models.DateTimeField(null=True)  # its order was refunded whole: time taken back
    reason = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at"))
                | models.Q(kind=5, ends_at=models.F("starts_at")),
                name="tenancy_term_order",
            ),
            models.CheckConstraint(
                condition=models.Q(value_amount__gte=0), name="tenancy_term_value"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=(4, 5), order_id__isnull=True)
                | (models.Q(order_id__isnull=False) & ~models.Q(kind__in=(4, 5))),
                name="tenancy_term_bought",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="tenancy_terms_of")]


class SlugReservation(models.Model):
    """An address that is held for somebody who is paying for it. Owned by the platform."""

    slug = models.CharField(max_length=32, unique=True)
    holder = models.CharField(max_length=80)  # who orders, as `orders` names a buyer
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=TransactionNow())


class ChildInvitation(TenantModel):
    """A link of a sub-site with which one person opens a child site below it, once.

    The link is not stored, only its digest. Which child it opened stays: the inviter counts.
    """

    token_digest = models.BinaryField(max_length=32, unique=True)
    note = models.CharField(max_length=40, blank=True)  # whom it is for, as the inviter says
    invited_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=TransactionNow())
    expires_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    child = models.OneToOneField(Site, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(used_at__isnull=True, child__isnull=True)
                | models.Q(used_at__isnull=False, child__isnull=False, withdrawn_at__isnull=True),
                name="tenancy_child_invited_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="tenancy_child_invitations")]


class TermNotice(TenantModel):
    """That the operator was told how long the term still lasts: once for each end and distance."""

    ends_at = models.DateTimeField()
    days = models.SmallIntegerField()  # before the end; 0 at the end
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "ends_at", "days"], name="tenancy_notice_once"),
        ]


class Closing(TenantModel):
    """One closing of a site, from the wish to its end; at most one a site has not ended."""

    reason = models.CharField(max_length=200)  # shown to buyers
    asked_by = models.CharField(max_length=100)
    is_by_platform = models.BooleanField(default=False)
    state_before = models.SmallIntegerField()  # what giving it up goes back to
    reason_before = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    told_at = models.DateTimeField(null=True)  # every customer was written to
    completed_at = models.DateTimeField(null=True)  # everything was settled: closed
    completed_by = models.CharField(max_length=100, blank=True)
    ended_at = models.DateTimeField(null=True)  # given up before, or undone after its completion
    ended_by = models.CharField(max_length=100, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(ended_at=None), name="tenancy_one_closing"
            ),
        ]


class LicenceKind(models.IntegerChoices):
    """What an operator is before the law."""

    COMPANY = 1, _("企业")
    TRADER = 2, _("个体工商户")
    EXEMPT = 3, _("依法无需登记的个人")  # declares it himself (电子商务法 10 and 15)


class LicenceState(models.IntegerChoices):
    """How far details of a licence have come."""

    PENDING = 1, _("待核实")
    VERIFIED = 2, _("已核实")  # shown in the shop
    REFUSED = 3, _("未通过")
    WITHDRAWN = 4, _("已撤回")  # by who handed them in
    REPLACED = 5, _("已被替换")  # by details that were verified later


class Licence(TenantModel):
    """Who runs a shop, as the law wants it shown. Verified ones stay shown until others are."""

    kind = models.SmallIntegerField(choices=LicenceKind)
    name = models.CharField(max_length=80)
    credit_code = models.CharField(max_length=18, blank=True)  # 统一社会信用代码 (GB 32100)
    person = models.CharField(max_length=40, blank=True)  # 法定代表人 or 经营者
    address = models.CharField(max_length=160)
    icp_no = models.CharField(max_length=60, blank=True)
    police_no = models.CharField(max_length=60, blank=True)  # 公安联网备案
    telecom_no = models.CharField(max_length=60, blank=True)  # 增值电信业务经营许可证
    other_no = models.CharField(max_length=160, blank=True)
    phone = models.CharField(max_length=30)
    complaints = models.CharField(max_length=120)  # where complaints go
    email = models.CharField(max_length=120, blank=True)
    state = models.SmallIntegerField(choices=LicenceState, default=LicenceState.PENDING)
    submitted_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())
    decided_by = models.CharField(max_length=100, blank=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)  # why it was refused

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(state=1), name="tenancy_one_pending_licence"
            ),
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(state=2), name="tenancy_one_verified_licence"
            ),
            models.CheckConstraint(
                condition=models.Q(state=1, decided_at=None)
                | ~models.Q(state=1) & models.Q(decided_at__isnull=False),
                name="tenancy_licence_decided",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="tenancy_licence_by_site")]
