"""Refusals of this app."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class PageNotFound(NotFound):
    code = "page_not_found"
    message = _("没有这个页面，可能已经删除。")


class SectionNotFound(NotFound):
    code = "page_section_not_found"
    message = _("没有这种区块。")


class RevisionNotFound(NotFound):
    code = "page_revision_not_found"
    message = _("没有这个历史版本。")


class PreviewInvalid(NotFound):
    code = "page_preview_invalid"
    message = _("预览链接已失效，请让店主重新发一个。")


class TemplateNotFound(NotFound):
    code = "page_template_not_found"
    message = _("没有这个模板。")


class PictureNotFound(NotFound):
    code = "page_picture_not_found"
    message = _("没有这张图片。")


class ContentInvalid(Refusal):
    code = "page_content_invalid"
    message = _("页面内容格式不正确，请刷新编辑器后重试。")


class NotPublishable(Refusal):
    """`faults` names each section and field (`content.Fault`); `first` says the first of them."""

    code = "page_not_publishable"
    message = _("%(first)s 共 %(count)s 处改好才能发布。")

    def __init__(self, *, faults: Sequence[object], first: str) -> None:
        super().__init__(count=len(faults), first=first)
        self.faults = faults


class DraftMoved(Conflict):
    """The draft was changed elsewhere since it was read."""

    code = "page_draft_moved"
    message = _("%(who)s 刚刚修改了这个页面。")


class NothingToPublish(Conflict):
    code = "page_nothing_to_publish"
    message = _("没有需要发布的修改。")


class PageStillPublished(Conflict):
    code = "page_still_published"
    message = _("页面还在展示，请先下线再删除。")


class SlugInvalid(Refusal):
    code = "page_slug_invalid"
    message = _("页面地址只能用小写字母、数字和连字符，2 到 40 个字。")


class SlugTaken(Conflict):
    code = "page_slug_taken"
    message = _("这个页面地址已经用过了，请换一个。")


class TooManyPages(Refusal):
    code = "page_too_many"
    message = _("自定义页面最多 %(most)s 个，请先删除不用的。")


class TimeInvalid(Refusal):
    code = "page_time_invalid"
    message = _("发布时间要在将来一年之内。")


class AlreadyUndone(Conflict):
    code = "decoration_already_undone"
    message = _("这次装修已经撤销过了。")


class PictureInvalid(Refusal):
    code = "page_picture_invalid"
    message = _("%(why)s")


class PicturesBusy(Refusal):
    code = "page_pictures_busy"
    status = 503
    message = _("正在处理很多图片，请过一会儿再上传。")


class LibraryFull(Refusal):
    code = "page_library_full"
    message = _("图片库已满（%(most)s 张），请先删除不用的图片。")


class LibraryWorn(Refusal):
    code = "page_library_worn"
    message = _("这个店换过的图片已有 %(most)s 张，不能再传新的，请联系平台。")


class SkinInvalid(Refusal):
    code = "skin_invalid"
    message = _("%(why)s")
