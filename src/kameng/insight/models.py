"""Tables of insight: whole sites, taken along as one file."""

from typing import ClassVar

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.utils.translation import gettext_lazy as _

from kameng.tenancy.scoping import TenantModel


class ArchiveState(models.IntegerChoices):
    """How far an archive of a site has come."""

    WAITING = 1, _("排队中")
    RUNNING = 2, _("正在打包")
    READY = 3, _("可以下载")
    FAILED = 4, _("没打成")
    REMOVED = 5, _("已过期")  # its file is gone


class Archive(TenantModel):
    """Everything of one site in one file, written by the worker; at most one at a time.

    `attempt` grows with each run, so that a run that was thought dead cannot finish another's.
    """

    state = models.SmallIntegerField(choices=ArchiveState, default=ArchiveState.WAITING)
    with_contacts = models.BooleanField(default=False)  # logins and contacts in clear
    asked_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=TransactionNow())
    attempt = models.SmallIntegerField(default=0)
    part = models.CharField(max_length=24, blank=True)  # what is being written
    done_count = models.BigIntegerField(default=0)  # rows
    total_count = models.BigIntegerField(default=0)
    file_name = models.CharField(max_length=60, blank=True)
    size_bytes = models.BigIntegerField(default=0)  # of the ZIP file, not as encrypted
    digest = models.CharField(max_length=64, blank=True)  # SHA-256 of the ZIP file
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    download_count = models.IntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(state__in=(1, 2)),
                name="insight_one_archive_at_work",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=3)
                | ~models.Q(file_name="") & models.Q(expires_at__isnull=False),
                name="insight_archive_ready",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "-id"], name="insight_archive_by_site")]
