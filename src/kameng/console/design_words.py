"""Words of the design screens that scripts need, and where pages are found."""

from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.pages.models import MANY_KINDS, Page, PageKind


def page_url(page: Page) -> str:
    """Return the path of a page in the shop."""
    if page.kind in MANY_KINDS:
        return reverse("storefront:page", args=(page.slug,))
    if page.kind == PageKind.ABOUT:
        return reverse("storefront:about")
    if page.kind == PageKind.HELP:
        return reverse("storefront:help")
    return reverse("storefront:home")


def builder_words() -> dict[str, str]:
    """Return the words of the editor."""
    return {
        "saved": _("已保存"),
        "saving": _("正在保存…"),
        "unsaved": _("有修改未保存"),
        "offline": _("网络断开，修改留在本机，恢复后自动保存"),
        "add": _("添加"),
        "remove": _("删除"),
        "hide": _("隐藏"),
        "show": _("显示"),
        "duplicate": _("复制一份"),
        "up": _("上移"),
        "down": _("下移"),
        "drag": _("拖动排序，也可以用 Alt 加方向键"),
        "unknown": _("较新的区块"),
        "choose_picture": _("选择图片"),
        "no_picture": _("没有图片"),
        "upload": _("上传图片"),
        "uploading": _("正在上传…"),
        "crop": _("裁剪"),
        "focal": _("点一下图片上最重要的位置"),
        "alt": _("图片说明（给看不见图片的人）"),
        "choose_goods": _("选择商品"),
        "search_goods": _("搜商品"),
        "nothing": _("没有找到"),
        "published": _("已发布"),
        "publish_failed": _("还不能发布"),
        "conflict": _("有人同时修改了这个页面"),
        "merged": _("已合并另一处的修改"),
        "take_theirs": _("用对方的版本"),
        "keep_mine": _("用我的版本"),
        "undo": _("撤销"),
        "redo": _("重做"),
        "copied": _("已复制链接，7 天内有效"),
        "confirm_discard": _("放弃所有未发布的修改？放弃的内容会留在历史里。"),
        "empty": _("这一页还没有内容，从左边拖一个区块进来。"),
    }
