"""Festive skins: what a shop can wear between two moments. Pure."""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinKind:
    """One skin; its colours and ornaments are those of `[data-skin="<key>"]` in skins.css."""

    key: str
    name: Text
    hint: Text


SKINS: Final = {
    skin.key: skin
    for skin in (
        SkinKind(key="spring", name=_("春节"), hint=_("红金配色，灯笼点缀。")),
        SkinKind(key="lantern", name=_("元宵与中秋"), hint=_("暖夜色，月亮与灯。")),
        SkinKind(key="dragon", name=_("端午"), hint=_("青绿配色，竹叶点缀。")),
        SkinKind(key="qixi", name=_("七夕与情人节"), hint=_("粉紫配色，星点。")),
        SkinKind(key="national", name=_("国庆"), hint=_("朱红配色，金星。")),
        SkinKind(key="double11", name=_("双十一与年中大促"), hint=_("亮红配色，斜纹。")),
        SkinKind(key="christmas", name=_("圣诞"), hint=_("墨绿配色，雪花。")),
        SkinKind(key="school", name=_("开学季"), hint=_("晴蓝配色，纸飞机。")),
    )
}
