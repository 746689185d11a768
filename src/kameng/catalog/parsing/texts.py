"""The sentences for everything that a list of goods can be odd about.

Each says what was found and what happens with the row; the import preview shows them by line.
"""

from typing import Final

from kameng.core import tabular
from kameng.core.problems import gettext_noop

PROBLEM_TEXT: Final = tabular.PROBLEM_TEXT | {
    "blank_line": gettext_noop("空行，已跳过。"),
    "summary_line": gettext_noop("这一行是合计，不是商品，已跳过。"),
    "repeated_heading": gettext_noop("这一行又是表头，已跳过。"),
    "name_missing": gettext_noop("没有商品名称，无法导入。"),
    "name_too_long": gettext_noop("商品名称超过 %(limit)s 个字，请缩短后再导入。"),
    "doubled_row": gettext_noop("与第 %(first_line_no)s 行完全相同，已跳过。"),
    "doubled_code": gettext_noop(
        "编号 %(code)s 在第 %(first_line_no)s 行已经出现，内容不同，请核对后只保留一行。"
    ),
    "doubled_name": gettext_noop("商品名称与第 %(first_line_no)s 行相同，请核对后只保留一行。"),
    "prices_missing": gettext_noop("既没有售价也没有进货价，无法导入。"),
    "price_missing": gettext_noop("没有售价，导入后保持下架，请补上售价再上架。"),
    "cost_missing": gettext_noop("没有进货价，无法计算利润，请补上。"),
    "price_on_request": gettext_noop("售价写的是“%(text)s”，导入后保持下架，请填写数字再上架。"),
    "cost_not_below_price": gettext_noop("进货价 %(cost)s 元不低于售价 %(price)s 元，卖出会亏本。"),
    "price_zero": gettext_noop("售价是 0 元，请确认。"),
    "money_unclear": gettext_noop("金额“%(text)s”看不懂，请只填数字，例如 12.50。"),
    "money_negative": gettext_noop("金额“%(text)s”是负数，请填写不小于 0 的数字。"),
    "money_is_a_range": gettext_noop("金额“%(text)s”是一个范围，请填写一个确定的数字。"),
    "money_precision": gettext_noop("金额“%(text)s”的小数超过 4 位，请检查。"),
    "money_range": gettext_noop("金额“%(text)s”太大，请检查。"),
    "stock_unclear": gettext_noop("库存“%(text)s”看不懂，请填写数字或“充足”。"),
    "delivery_unclear": gettext_noop("发货方式“%(text)s”看不懂，请填写“自动发货”“直充”或“人工”。"),
    "delivery_missing": gettext_noop("没有发货方式，请补上。"),
    "category_missing": gettext_noop("没有分类，请在导入后选择。"),
    "category_guessed": gettext_noop("没有分类，按同品牌的商品归入“%(category)s”，请确认。"),
    "code_missing": gettext_noop("没有商品编号，导入时会自动编号。"),
}
