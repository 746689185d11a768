"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class BatchNotFound(NotFound):
    code = "batch_not_found"
    message = _("没有这个卡密批次。")


class KeyNotFound(NotFound):
    code = "card_key_not_found"
    message = _("没有找到这条卡密。")


class BatchStateWrong(Conflict):
    code = "batch_state_wrong"
    message = _("这个批次的状态刚刚发生了变化，请刷新后重试。")


class NotCardGoods(Refusal):
    code = "not_card_goods"
    message = _("这个商品不是自动发货的卡密商品，不能导入卡密。")


class NotCountedGoods(Refusal):
    code = "not_counted_goods"
    message = _("卡密商品的库存由卡密数量决定，请导入卡密。")


class LevelInvalid(Refusal):
    code = "stock_level_invalid"
    message = _("库存应为 0 到 1000000 之间的整数，留空表示不限。")


class BatchLabelInvalid(Refusal):
    code = "batch_label_invalid"
    message = _("批次名称最多 80 个字，单张成本应在 0 到 100 万元之间。")
