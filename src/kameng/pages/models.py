"""Tables of pages: pages with their drafts, revisions, timed publications, skins, pictures."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kameng.tenancy.scoping import TenantModel


class PageKind(models.IntegerChoices):
    """What a page is for. A site has at most one of each, but of landing and custom pages many."""

    LOOK = 1, _("外观")  # theme, header and footer: around every page
    HOME = 2, _("首页")
    CATEGORY = 3, _("分类页")  # around the list of goods; of one category, or of all
    PRODUCT = 4, _("商品页")  # below the goods
    LANDING = 5, _("活动页")
    ABOUT = 6, _("关于我们")
    HELP = 7, _("帮助中心")
    CUSTOM = 8, _("自定义页面")


MANY_KINDS = (PageKind.LANDING, PageKind.CUSTOM)


class RevisionReason(models.IntegerChoices):
    """Why a content was put on record."""

    PUBLISHED = 1, pgettext_lazy("why a version was kept", "发布")
    REPLACED = 2, _("被替换前的草稿")  # a template, a restore or somebody else took its place
    TIMED = 3, pgettext_lazy("why a version was kept", "定时发布")


class Page(TenantModel):
    """One page of a site with its draft. `content` shapes: pages/content.py."""

    kind = models.SmallIntegerField(choices=PageKind)
    category_id = models.BigIntegerField(default=0)  # of a category page; 0: of all categories
    slug = models.SlugField(max_length=40, blank=True)  # of landing and custom pages
    title = models.CharField(max_length=60)
    draft = models.JSONField(null=True)  # None: nothing was changed since the last publication
    draft_version = models.BigIntegerField(default=0)  # grows with every change of the draft
    draft_by = models.CharField(max_length=100, blank=True)
    draft_at = models.DateTimeField(null=True)
    # What buyers see; None: the page was never published, the built-in one stands.
    revision = models.ForeignKey("Revision", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "kind", "category_id", "slug"], name="pages_one_page"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=(5, 8)) & ~Q(slug="") | ~Q(kind__in=(5, 8)) & Q(slug=""),
                name="pages_slug_of_many",
            ),
            models.CheckConstraint(
                condition=Q(kind=3) | Q(category_id=0), name="pages_category_of_its_kind"
            ),
        ]


class Revision(TenantModel):
    """A content on record. Never changed."""

    page = models.ForeignKey(Page, on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField()  # 1, 2, 3 … of its page
    reason = models.SmallIntegerField(choices=RevisionReason)
    content = models.JSONField()
    note = models.CharField(max_length=120, blank=True)
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["page", "number"], name="pages_one_revision_number"),
        ]


class PublicationState(models.IntegerChoices):
    """How far a timed publication has come."""

    WAITING = 0, _("等待发布")
    DONE = 1, _("已发布")
    CANCELLED = 2, _("已取消")


class Publication(TenantModel):
    """A revision that is to be published at a time."""

    page = models.ForeignKey(Page, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    publish_at = models.DateTimeField()
    state = models.SmallIntegerField(choices=PublicationState, default=PublicationState.WAITING)
    created_by = models.CharField(max_length=100)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["page"], condition=Q(state=0), name="pages_one_publication_waits"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["publish_at"], condition=Q(state=0), name="pages_publication_due"),
        ]


class Skin(TenantModel):
    """A festive dress over the theme between two moments. `kind` is a name of pages/skins.py."""

    kind = models.CharField(max_length=24)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="pages_skin_span"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "ends_at"], name="pages_skin_by_site")]


class Decoration(TenantModel):
    """A template that was applied, with what stood before: it can be taken back."""

    template = models.CharField(max_length=40)
    # {page id: {"draft": content or None, "revision_id": id or None}}
    before = models.JSONField()
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())
    undone_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="pages_decoration_by_site")]


class Picture(TenantModel):
    """An uploaded picture as it was taken in: decoded, stripped, encoded anew."""

    digest = models.CharField(max_length=64)  # SHA-256 of the widest file
    name = models.CharField(max_length=80)
    width = models.IntegerField()  # pixels of the widest file
    height = models.IntegerField()
    has_code = models.BooleanField(db_default=False)  # a square code that a camera reads
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())
    removed_at = models.DateTimeField(null=True)  # no longer offered; pages that use it keep it

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "digest"], name="pages_one_picture"),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="pages_picture_by_site")]


class PictureFile(TenantModel):
    """One size of a picture, WebP."""

    picture = models.ForeignKey(Picture, on_delete=models.PROTECT, related_name="+")
    width = models.IntegerField()
    data = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["picture", "width"], name="pages_one_picture_size"),
        ]


class Sale(TenantModel):
    """That a product was bought on a site lately: the newest of each site are kept, no names."""

    order_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    sold_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "order_id"], name="pages_one_sale_an_order"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "-sold_at"], name="pages_sale_by_time"),
        ]


class PreviewLink(TenantModel):
    """Who holds it sees a page's draft without signing in."""

    page = models.ForeignKey(Page, on_delete=models.PROTECT, related_name="+")
    token_hash = models.BinaryField(unique=True)  # SHA-256 of the token in the link
    expires_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    revoked_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [models.Index(fields=["page", "-id"], name="pages_preview_by_page")]
