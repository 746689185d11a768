"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class ProductNotFound(NotFound):
    code = "product_not_found"
    message = _("没有这个商品，可能已下架。")


class VariantNotFound(NotFound):
    code = "variant_not_found"
    message = _("没有这个规格，可能已下架。")


class CategoryNotFound(NotFound):
    code = "category_not_found"
    message = _("没有这个分类。")


class RuleMoved(Conflict):
    code = "rule_moved"
    message = _("这条规则在那之后又改过了，不能撤销，请直接修改。")


class RuleNotFound(NotFound):
    code = "price_rule_not_found"
    message = _("没有这条加价规则，可能已被删除。")


class ImportNotFound(NotFound):
    code = "import_not_found"
    message = _("没有这次导入。")


class QuantityInvalid(Refusal):
    code = "quantity_invalid"
    message = _("购买数量应为 %(min)s 到 %(max)s 之间的整数。")


class InputMissing(Refusal):
    code = "input_missing"
    message = _("请填写“%(label)s”。")


class InputInvalid(Refusal):
    code = "input_invalid"
    message = _("“%(label)s”填写不正确，请检查。")


class InputUnknown(Refusal):
    code = "input_unknown"
    message = _("提交了商品没有要求的内容，请刷新页面后重试。")


class FieldInvalid(Refusal):
    code = "field_invalid"
    message = _("“%(label)s”填写不正确：%(reason)s")


class NotOwner(Refusal):
    code = "goods_not_owned"
    status = 403
    message = _("这是主站的商品，分站只能设置自己的加价、上下架和置顶。")


class OwnGoodsNotInPlan(NotOwner):
    code = "own_goods_not_in_plan"
    message = _("您的套餐不含自营商品。换成带自营商品的套餐后，就可以添加。已有的自营商品照常卖。")


class OwnGoodsFull(Conflict):
    code = "own_goods_full"
    message = _(
        "套餐最多同时在售 %(most)s 个自营商品，现在已有 %(count)s 个。"
        "请先下架几个，或保存为不上架，也可以换更高的套餐。"
    )


class OwnGoodsTooMany(Conflict):
    code = "own_goods_too_many"
    message = _("一个店最多保存 %(most)s 个自营商品（含已下架的）。")


class GoodsTakenDown(Conflict):
    code = "goods_taken_down"
    message = _("“%(title)s”被平台下架，不能上架。原因：%(reason)s")


class WordRefused(Refusal):
    code = "word_refused"
    message = _("“%(word)s”属于平台禁止销售的内容（%(group)s），这件商品不能上架。")


class CodeTaken(Conflict):
    code = "product_code_taken"
    message = _("商品编码“%(value)s”已被使用，请换一个。")


class NameTaken(Conflict):
    code = "name_taken"
    message = _("名称“%(value)s”已存在，请换一个。")


class CategoryInUse(Conflict):
    code = "category_in_use"
    message = _("分类里还有 %(count)s 个商品，请先移走再删除。")


class PriceBelowCost(Refusal):
    code = "price_below_cost"
    message = _("售价 %(price)s 元低于成本价 %(cost)s 元，会亏本。")


class RuleInvalid(Refusal):
    code = "price_rule_invalid"
    message = _("加价规则不正确：%(reason)s")


class ImportStateWrong(Conflict):
    code = "import_state_wrong"
    message = _("这次导入的状态是“%(state)s”，不能这样操作。")
