"""Words of the design screens that scripts need, and where pages are found."""

from typing import Final

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kameng.pages.models import MANY_KINDS, Page, PageKind

ICONS: Final = (
    *("bolt", "flame", "star", "sparkles", "heart", "award", "gift", "ticket", "tag", "percentage"),
    *("shield-check", "lock", "circle-check", "checks", "clock", "hourglass", "calendar", "bell"),
    *("device-gamepad-2", "device-mobile", "device-desktop", "phone", "wifi", "world", "cloud"),
    *("player-play", "music", "video", "book", "school", "key", "tool", "coffee", "camera"),
    *("headset", "message-circle", "message", "mail", "users", "user-check", "speakerphone"),
    *("shopping-bag", "shopping-cart", "package", "truck-delivery", "credit-card", "wallet"),
    *("coin", "receipt", "brand-wechat", "brand-alipay", "qrcode", "map-pin", "search", "refresh"),
    *("trending-up", "chart-bar", "thumb-up", "crown", "rocket", "diamond", "confetti", "moon"),
)
"""What an operator may choose from; each is in the sprite (frontend/icons.json)."""


BUILDER_WORDS: Final = {
    "add": _("添加"),
    "all_categories": _("全部分类"),
    "alt": _("图片说明（给看不见图片的人）"),
    "at_most": _("最多显示"),
    "back": _("返回"),
    "bold": _("加粗"),
    "bullets": _("项目列表"),
    "by_category": _("某个分类"),
    "by_cheap": _("价格从低到高"),
    "by_hand": _("手动选择"),
    "by_hot": _("热卖"),
    "by_new": _("新上架"),
    "by_pinned": _("置顶商品"),
    "by_tag": _("某个标签"),
    "cancel": _("取消"),
    "change_picture": _("换一张"),
    "choose": _("请选择"),
    "choose_goods": _("选择商品"),
    "choose_picture": _("选择图片"),
    "choose_section": _("点页面上的一块来修改它，或从左边添加。"),
    "choose_time": _("请选择时间"),
    "chosen": _("已选"),
    "close": _("关闭"),
    "color_code": _("颜色代码"),
    "confirm": _("请确认"),
    "confirm_discard": _("放弃所有未发布的修改？放弃的内容会留在历史里。"),
    "conflict": _("有人同时修改了这个页面"),
    "copied": _("已复制链接，7 天内有效"),
    "copy": _("复制"),
    "crop": _("裁剪"),
    "desktop": _("电脑"),
    "discard": _("放弃修改"),
    "done": _("完成"),
    "down": _("下移"),
    "drag": _("拖动排序，也可以用 Alt 加方向键"),
    "duplicate": _("复制一份"),
    "empty": _("这一页还没有内容，从左边拖一个区块进来。"),
    "focal": _("点一下图片上最重要的位置"),
    "gone_goods": _("已下架的商品"),
    "goods_by": _("商品来源"),
    "heading": _("小标题"),
    "hide": _("隐藏"),
    "history": _("历史"),
    "italic": _("斜体"),
    "keep_mine": _("用我的版本"),
    "link": _("链接"),
    "link_goal": _("链接到"),
    "link_to": _("链接地址"),
    "merged": _("已合并另一处的修改"),
    "more": _("更多"),
    "more_acts": _("更多操作"),
    "no_icon": _("不用图标"),
    "no_picture": _("没有图片"),
    "nothing": _("没有找到"),
    "numbers": _("编号列表"),
    "offline": _("网络断开，修改留在本机，恢复后自动保存"),
    "only_one": _("这种区块一个页面只能有一个"),
    "outline": _("结构"),
    "page": _("页面"),
    "page_settings": _("外观"),
    "palette": _("添加"),
    "panel": _("设置"),
    "phone": _("手机"),
    "planned_at": _("已安排在"),
    "publish": _("发布"),
    "publish_failed": _("还不能发布"),
    "published": _("已发布"),
    "redo": _("重做"),
    "refused": _("保存没有成功，请刷新后重试"),
    "remove": _("删除"),
    "removed_undo": _("已删除，可以撤销"),
    "restored": _("已找回上次没保存的修改"),
    "saved": _("已保存"),
    "saving": _("正在保存…"),
    "schedule": _("定时发布"),
    "schedule_hint": _("到时间自动发布现在的内容，之后的修改不受影响。"),
    "scheduled": _("已安排定时发布"),
    "search_goods": _("搜商品"),
    "search_sections": _("搜区块"),
    "share": _("分享预览"),
    "share_hint": _("有这个链接的人可以看到草稿，7 天内有效。"),
    "show": _("显示"),
    "side": _("页面结构和区块"),
    "take": _("选用"),
    "take_theirs": _("用对方的版本"),
    "to_all": _("全部商品"),
    "to_category": _("商品分类"),
    "to_about": _("关于我们"),
    "to_help": _("帮助"),
    "to_home": _("首页"),
    "to_lookup": _("查询订单"),
    "to_none": _("不链接"),
    "to_page": _("自己的页面"),
    "to_product": _("商品"),
    "to_url": _("其他网址"),
    "undo": _("撤销"),
    "unknown": _("较新的区块"),
    "unknown_kept": _("这个区块由更新的版本制作，内容已原样保留。"),
    "unsaved": _("有修改未保存"),
    "unschedule": _("取消定时"),
    "unscheduled": _("已取消定时发布"),
    "up": _("上移"),
    "upload": _("上传图片"),
    "upload_failed": _("上传没有成功，请换一张图片重试"),
    "uploading": _("正在上传…"),
    "visit": _("到店里看"),
    "whole": _("原图"),
}
"""Every word that the editor's scripts show."""


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
    """Return the words of the editor in the language in force."""
    return {name: str(text) for name, text in BUILDER_WORDS.items()}
