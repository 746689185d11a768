"""Which column of a list of goods holds what.

Owns the wordings of headings and the look at the cells that decides when headings are missing,
garbled or say the same word for two things. Promises that a column serves at most one field, and
that every guess carries how sure it is; a person's choice replaces any guess.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from kameng.catalog.parsing.cells import read_delivery, read_money, read_stock
from kameng.core.tabular import Row, Table

SURE_BPS: Final = 10_000
_LIKELY_BPS: Final = 7_000
_MOST_BY_CONTENT_BPS: Final = 6_000
_LEAST_BPS: Final = 2_500


class Field(StrEnum):
    """What a column of a list of goods can hold."""

    NAME = "name"
    CODE = "code"
    CATEGORY = "category"
    BRAND = "brand"
    FACE_VALUE = "face_value"
    COST = "cost"
    LIST_PRICE = "list_price"
    STOCK = "stock"
    DELIVERY = "delivery"
    NOTE = "note"


_WORDS: Final[dict[Field, str]] = {
    Field.NAME: "商品名称 商品名 产品名称 产品名 品名 名称 标题 商品标题 货品名称 商品 产品 项目 "
    "name title product productname goods",
    Field.CODE: "商品编码 商品编号 产品编号 产品编码 编码 编号 货号 商品id 款号 代码 "
    "商品代码 sku id code no",
    Field.CATEGORY: "分类 类目 商品分类 商品类目 类别 所属分类 栏目 目录 品类 分组 category type",
    Field.BRAND: "品牌 厂商 厂家 牌子 商家 运营商 平台 游戏 品牌名称 brand vendor",
    Field.FACE_VALUE: "面值 面额 规格 档位 套餐 型号 facevalue spec",
    Field.COST: "进货价 成本 成本价 拿货价 进价 供货价 采购价 批发价 上游价 底价 结算价 "
    "cost costprice",
    Field.LIST_PRICE: "建议售价 零售价 售价 销售价 建议零售价 卖价 价格 单价 标价 定价 市场价 现价 "
    "price listprice",
    Field.STOCK: "库存 数量 库存数量 剩余 存量 可用库存 余量 现有 件数 "
    "stock quantity qty inventory",
    Field.DELIVERY: "发货方式 发货 类型 商品类型 发货类型 交付方式 到账方式 方式 充值方式 delivery",
    Field.NOTE: "说明 备注 描述 商品说明 商品描述 详情 简介 注意事项 使用说明 介绍 "
    "note remark description",
}
_EXACT: Final = {word: field for field, words in _WORDS.items() for word in words.split()}
# Longest first, so that 进货价 is not taken for 价, nor 库存数量 for 数量.
_INSIDE: Final = sorted(
    ((word, field) for word, field in _EXACT.items() if len(word) > 1 and not word.isascii()),
    key=lambda item: -len(item[0]),
)
_CODE_CELL: Final = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9_\-./]{1,31}")
_NOTE_WORDS: Final = re.compile(r"填写|付款|发货|请|售后|到账|账号|教程|联系|绑定|勿|仅限")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """Fields with their columns (from zero) and how sure each guess is, in basis points."""

    columns: Mapping[Field, int]
    confidence_bps: Mapping[Field, int]
    has_heading: bool

    def choose(self, field: Field, column: int | None) -> "ColumnMapping":
        """Return the mapping with a person's choice; no column means that there is none."""
        columns = {key: value for key, value in self.columns.items() if value != column}
        columns.pop(field, None)
        if column is not None:
            columns[field] = column
        sure = {key: self.confidence_bps[key] for key in columns if key != field}
        if column is not None:
            sure[field] = SURE_BPS
        return replace(self, columns=columns, confidence_bps=sure)


def guess_mapping(table: Table) -> ColumnMapping:
    """Guess from headings first and from cells where they do not decide."""
    sample = table.sample()
    width = max([len(table.header), *(len(row.cells) for row in sample)], default=0)
    headings = [field_of_heading(cell) for cell in table.header]
    has_heading = bool(table.header) and _is_heading(table.header, headings, sample)
    guesses = [
        (bps, field, column)
        for column in range(width)
        for field, bps in _column_guesses(
            headings[column] if has_heading and column < len(headings) else None,
            _column(sample, column),
        )
    ]
    columns: dict[Field, int] = {}
    sure: dict[Field, int] = {}
    for bps, field, column in sorted(guesses, key=lambda guess: (-guess[0], guess[2])):
        if field not in columns and column not in columns.values() and bps >= _LEAST_BPS:
            columns[field], sure[field] = column, bps
    _order_prices(columns, sure, sample)
    return ColumnMapping(columns=columns, confidence_bps=sure, has_heading=has_heading)


def field_of_heading(cell: str) -> tuple[Field, int] | None:
    """Return the field that a heading names and how sure that is."""
    text = unicodedata.normalize("NFKC", cell).lower()
    text = re.sub(r"[\s_*:：]+|[(\[【].*?[)\]】]", "", text)
    if text in _EXACT:
        return _EXACT[text], SURE_BPS - (1_000 if text in ("类型", "type", "商品类型") else 0)
    for word, field in _INSIDE:
        if word in text:
            return field, _LIKELY_BPS
    return None


def _is_heading(
    header: Sequence[str],
    headings: Sequence[tuple[Field, int] | None],
    sample: Sequence[Row],
) -> bool:
    """Tell a heading from a first row of goods that happens to have no number in it."""
    if any(headings):
        exact_count = sum(1 for heading in headings if heading and heading[1] > _LIKELY_BPS)
        return exact_count > 0 or sum(map(bool, headings)) > 1
    # Unknown words: a heading when the rows below have money or numbers where it has none.
    return any(
        column < len(header) and _share(cells, _is_number) > SURE_BPS // 2
        for column in range(len(header))
        for cells in [_column(sample, column)]
    )


def _column(sample: Sequence[Row], column: int) -> list[str]:
    return [row.cells[column] for row in sample if column < len(row.cells) and row.cells[column]]


def _column_guesses(
    heading: tuple[Field, int] | None, cells: list[str]
) -> Iterator[tuple[Field, int]]:
    by_content = _content_guesses(cells) if cells else {}
    if heading is None:
        yield from by_content.items()
        return
    field, bps = heading
    if field in (Field.DELIVERY, Field.CATEGORY) and bps < SURE_BPS:
        # 类型 is a category in one list and a way of delivery in the next: the cells know.
        is_delivery = by_content.get(Field.DELIVERY, 0) > _LEAST_BPS
        field = Field.DELIVERY if is_delivery else Field.CATEGORY
    yield field, bps


def _content_guesses(cells: list[str]) -> dict[Field, int]:
    count = len(cells)
    distinct_bps = len(set(cells)) * SURE_BPS // count
    money = _share(cells, _is_money)
    number = _share(cells, _is_number)
    chinese = _share(cells, lambda cell: bool(_CHINESE.search(cell)))
    length = sum(map(len, cells)) // count
    found: dict[Field, int] = {}
    if _share(cells, _is_delivery) > 8_000 and distinct_bps < 5_000:
        found[Field.DELIVERY] = 5_500
    if money > 7_000 and _share(cells, _has_decimals) > 3_000:
        found[Field.LIST_PRICE] = found[Field.COST] = 5_000
    elif number > 7_000:
        found[Field.STOCK] = 4_500
        found[Field.COST] = found[Field.LIST_PRICE] = 2_600
    if distinct_bps > 8_500 and chinese < 2_000 and _share(cells, _is_code) > 8_000:
        found[Field.CODE] = 4_900
    if number < 3_000 and money < 3_000:
        found[Field.NAME] = min(_MOST_BY_CONTENT_BPS, distinct_bps * length // 20)
        if _share(cells, lambda cell: bool(_NOTE_WORDS.search(cell))) > 5_000:
            found[Field.NOTE] = 5_800
            found.pop(Field.NAME)
        elif distinct_bps < 6_000 and length <= 12:
            # The coarser of two such columns is the category, the finer the brand.
            found[Field.CATEGORY] = 4_400 - distinct_bps // 10
            found[Field.BRAND] = 3_400 + distinct_bps // 20
    return found


def _order_prices(columns: dict[Field, int], sure: dict[Field, int], sample: list[Row]) -> None:
    """Of two columns of money known by their cells alone, the dearer one is what people pay."""
    low, high = columns.get(Field.COST), columns.get(Field.LIST_PRICE)
    if low is None or high is None or max(sure[Field.COST], sure[Field.LIST_PRICE]) >= _LIKELY_BPS:
        if high is None and low is not None and sure[Field.COST] < _LIKELY_BPS:
            # A single price is the price.
            columns[Field.LIST_PRICE] = columns.pop(Field.COST)
            sure[Field.LIST_PRICE] = sure.pop(Field.COST)
        return
    # Row by row, because either column may have gaps.
    dearer = 0
    for row in sample:
        pair = [
            read_money(row.cells[column])[0] for column in (low, high) if column < len(row.cells)
        ]
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            dearer += (pair[0] > pair[1]) - (pair[0] < pair[1])
    if dearer > 0:
        columns[Field.COST], columns[Field.LIST_PRICE] = high, low


def _share(cells: Sequence[str], test: Callable[[str], bool]) -> int:
    return sum(map(test, cells)) * SURE_BPS // len(cells) if cells else 0


def _is_money(cell: str) -> bool:
    amount, problem = read_money(cell)
    return amount is not None or (problem is not None and problem.code == "price_on_request")


def _is_number(cell: str) -> bool:
    count, is_unlimited, _ = read_stock(cell)
    return count is not None or is_unlimited


def _is_delivery(cell: str) -> bool:
    return len(cell) <= 8 and read_delivery(cell)[0] is not None


def _has_decimals(cell: str) -> bool:
    text = unicodedata.normalize("NFKC", cell)
    return "." in text or "元" in text or "¥" in text


def _is_code(cell: str) -> bool:
    return bool(_CODE_CELL.fullmatch(cell))
