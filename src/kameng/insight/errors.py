"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class HindrancesLeft(Conflict):
    code = "hindrances_left"
    message = _("还有没办完的事，请先处理下面列出的每一项。")


class ArchiveNotFound(NotFound):
    code = "archive_not_found"
    message = _("这份打包文件已过期或不存在，请重新打包。")


class ArchiveRunning(Conflict):
    code = "archive_running"
    message = _("已经有一份在打包，请等它完成。")


class ArchiveDamaged(Refusal):
    code = "archive_damaged"
    status = 503
    message = _("打包文件读不出来，请重新打包一份。")
