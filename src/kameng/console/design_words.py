"""Words of the design screens that scripts need, and where pages are found."""

from typing import Final

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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
    "built_in": _("页面自带内容"),
    "built_in_hint": _("位置固定，不能移动或修改"),
    "builtin": _("默认样式"),
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
    "choose_category": _("用哪个分类预览"),
    "choose_goods": _("选择商品"),
    "choose_picture": _("选择图片"),
    "choose_section": _("点页面上的一块来修改它，也可以添加新的区块。"),
    "choose_time": _("请选择时间"),
    "chosen": _("已选"),
    "close": _("关闭"),
    "code_note": _("图片里有二维码。买家扫码后就离开了本店，请只放客服和社群的二维码。"),
    "color_code": _("颜色代码"),
    "confirm": _("请确认"),
    "confirm_discard": _("放弃所有未发布的修改？放弃的内容会留在历史里。"),
    "conflict": _("两边都改了下面这些内容，请逐项选择保留哪一边。"),
    "conflict_hint": _("没有选中的一边会留在历史里，以后还能找回。"),
    "conflict_title": _("这个页面有两份修改"),
    "conflict_waits": _("有冲突，还没保存"),
    "copied": _("已复制"),
    "copy": _("复制"),
    "crop": _("裁剪"),
    "crop_hint": _("拖动四角调整大小，拖动中间移动；也可以用方向键，按住 Shift 调整大小。"),
    "decide": _("去处理"),
    "decide_later": _("以后再说"),
    "desktop": _("电脑"),
    "discard": _("放弃修改"),
    "done": _("完成"),
    "down": _("下移"),
    "drag": _("拖动排序，也可以用 Alt 加方向键"),
    "duplicate": _("复制一份"),
    "empty": _("这一页还没有内容，添加一个区块开始装修。"),
    "empty_around": _("在这里添加区块，和页面自带内容一起显示。"),
    "faults": _("发布前还要修改 {count} 处"),
    "fields": pgettext_lazy("of a section", "设置"),
    "focal": _("点一下图片上最重要的位置"),
    "format": _("文字格式"),
    "spot": _("在图上点出位置，也可以用方向键"),
    "gone_goods": _("已下架的商品"),
    "goods_by": _("商品来源"),
    "heading": _("小标题"),
    "help_title": _("操作说明"),
    "hide": pgettext_lazy("act", "隐藏"),
    "history": _("历史"),
    "is_hidden": _("已隐藏"),
    "is_removed": _("（已删除）"),
    "italic": _("斜体"),
    "kept_here": _("这台设备上有没保存的修改，而页面后来又被改过。"),
    "key_help": _("打开这个说明"),
    "key_hide": _("隐藏或显示选中的区块"),
    "key_leave": _("取消选择"),
    "key_move": _("上移或下移选中的区块"),
    "key_next": _("选择上一块或下一块"),
    "link": _("链接"),
    "link_goal": _("链接到"),
    "link_to": _("链接地址"),
    "list_full": _("已经到数量上限"),
    "merge": _("按选择合并"),
    "merged": _("已合并另一处的修改"),
    "mine": _("我的修改"),
    "more": _("更多"),
    "more_acts": _("更多操作"),
    "no_icon": _("不用图标"),
    "no_line": _("没有连上服务器，请稍后再试"),
    "no_picture": _("没有图片"),
    "not_saved": _("没有保存成功"),
    "not_saved_yet": _("修改还没有保存，请先看上方的提示"),
    "nothing": _("没有找到"),
    "numbers": _("编号列表"),
    "offline": _("网络断开，修改留在本机，恢复后自动保存"),
    "only_one": _("这种区块一个页面只能有一个"),
    "outline": _("结构"),
    "own_clock": _("按您这台设备的时间。"),
    "page": _("页面"),
    "page_full": _("一个页面最多 60 个区块"),
    "page_settings": _("外观"),
    "palette": _("添加区块"),
    "panel": pgettext_lazy("of a section", "设置"),
    "phone": _("手机"),
    "pieces": _("件"),
    "planned_at": _("已安排在"),
    "publish": pgettext_lazy("act", "发布"),
    "publish_time": _("发布时间"),
    "published": pgettext_lazy("state of a page", "已发布"),
    "ratio": _("比例"),
    "redo": _("重做"),
    "refused": _("保存没有成功，请刷新后重试"),
    "remove": _("删除"),
    "removed_undo": _("已删除，可以撤销"),
    "reschedule": _("改到这个时间"),
    "restored": _("已找回上次没保存的修改"),
    "save_now": _("立即保存"),
    "saved": _("已保存"),
    "saved_draft": _("已保存 · 未发布"),
    "saving": _("正在保存…"),
    "schedule": _("定时发布"),
    "schedule_hint": _("到时间自动发布现在的内容，之后的修改不受影响。"),
    "scheduled": _("已安排定时发布"),
    "search_goods": _("搜商品"),
    "search_sections": _("搜区块"),
    "share": _("分享预览"),
    "share_hint": _("有这个链接的人可以看到草稿，7 天内有效。"),
    "share_shut": _(
        "店铺现在没有对外展示，拿到链接的人也打不开。恢复展示后，链接在 7 天内仍然有效。"
    ),
    "show": pgettext_lazy("act", "显示"),
    "side": _("页面结构和区块"),
    "sign_in": _("重新登录"),
    "sign_in_there": _("请在新打开的页面登录，再回到这里，修改不会丢"),
    "signed_out": _("登录已过期，修改留在本机"),
    "standing_builtin": _("还没有改过，正在使用默认样式。"),
    "standing_changed": _("有修改还没有发布，买家看到的是上一次发布的内容。"),
    "standing_draft": _("这一页还没有发布过，买家看不到。"),
    "standing_published": _("买家看到的就是现在的内容。"),
    "theirs": _("对方的修改"),
    "tip_drag": _("按住区块拖动可以换位置；手机上先按住片刻再拖。"),
    "tip_history": _("每次发布都会留下一个版本，改坏了可以从历史里恢复。"),
    "tip_save": _("修改会自动保存成草稿，点“发布”以后买家才看得到。"),
    "tip_type": _("点页面上的文字可以直接修改。"),
    "to_all": _("全部商品"),
    "to_category": _("商品分类"),
    "to_about": _("关于我们"),
    "to_help": _("帮助"),
    "to_home": _("首页"),
    "to_lookup": _("查询订单"),
    "to_open": _("开店页"),
    "to_none": _("不链接"),
    "to_page": _("自己的页面"),
    "to_product": _("商品"),
    "to_url": _("其他网址"),
    "too_big": _("图片太大，请选 15 MB 以内的。"),
    "try_now": _("立即重试"),
    "undo": _("撤销"),
    "unknown": _("较新的区块"),
    "unknown_kept": _("这个区块由更新的版本制作，内容已原样保留。"),
    "unschedule": _("取消定时"),
    "unscheduled": _("已取消定时发布"),
    "unshare": _("停用所有预览链接"),
    "unshared": _("预览链接都已停用"),
    "up": _("上移"),
    "upload": _("上传图片"),
    "upload_failed": _("上传没有成功，请换一张图片重试"),
    "upload_hint": _(
        "也可以把图片拖到这里或直接粘贴。JPG、PNG、WebP、GIF，15 MB 以内；动图只保留第一帧。"
    ),
    "uploading": _("正在上传…"),
    "visit": _("到店里看"),
    "whole": _("原图"),
    "wrong_kind": _("打不开这个文件，请选 JPG、PNG、WebP 或 GIF 图片。"),
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


def page_title(page: Page) -> str:
    """Return a page's name: as the operator gave it, or of its kind in the language in force."""
    return page.title if page.kind in MANY_KINDS else str(PageKind(page.kind).label)


def builder_words() -> dict[str, str]:
    """Return the words of the editor in the language in force."""
    return {name: str(text) for name, text in BUILDER_WORDS.items()}
