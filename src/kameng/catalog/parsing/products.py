"""Rows of a list of goods as products, each line accounted for.

Owns what makes a row a product, which oddities are told and let through, and which rows are
doubled. Promises exactly one result for every record of the table, in order, and never an
exception for what a cell says.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kameng.catalog.parsing.cells import DeliveryWord, read_delivery, read_money, read_stock
from kameng.catalog.parsing.mapping import ColumnMapping, Field, field_of_heading
from kameng.core.decoding import fold_width
from kameng.core.problems import Problem
from kameng.core.tabular import Row, Table
from kameng.pricing.money import Amount, format_yuan

MAX_NAME_CHARS: Final = 120
_SUMMARY: Final = re.compile(
    r"(合计|总计|小计|共计|汇总|总数|total|sum|subtotal)([:：].*)?", re.IGNORECASE
)
# A sign between two digits tells 1.5 from 15 and 1-2 from 12; elsewhere it tells nothing.
_SIGNS: Final = re.compile(r"(?<!\d)[^\w+×]|[^\w+×](?!\d)|_")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow:
    """A row that can become a product; what is unknown is None or empty and has a warning."""

    line_no: int
    name: str
    code: str
    category: str
    brand: str
    face_value: str
    note: str
    cost_amount: Amount | None
    list_amount: Amount | None
    stock_count: int | None
    is_stock_unlimited: bool
    delivery: DeliveryWord | None
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A row that becomes no product, and why; `name` helps a person to find it."""

    line_no: int
    name: str
    problem: Problem


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the rows before said: for doubled ones and for the usual category of a brand."""

    categories: dict[str, Counter[str]]
    codes: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)


def parse_products(table: Table, mapping: ColumnMapping) -> Iterator[ProductRow | RowProblem]:
    """Yield one result for every record, the heading left out when it is one."""
    seen = _Seen(categories=_brand_categories(table, mapping))
    if table.header and not mapping.has_heading:
        yield _parse_row(Row(line_no=table.header_line_no, cells=table.header), mapping, seen)
    for row in table.rows:
        yield _parse_row(row, mapping, seen)


def comparable_name(name: str) -> str:
    """Return the name without case, width, blanks and signs, so that equal goods compare equal."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return _SIGNS.sub("", re.sub(r"\s+", "", text)) or text


def clean_name(cell: str) -> str:
    """Return a name on one line, letters and digits at half width, Chinese signs as they are."""
    letters = "".join(fold_width(sign) if sign.isalnum() else sign for sign in cell)
    return " ".join(letters.split())


def _brand_categories(table: Table, mapping: ColumnMapping) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in table.rows:
        brand, category = (_cell(row, mapping, key) for key in (Field.BRAND, Field.CATEGORY))
        if brand and category:
            found[brand][category] += 1
    return found


def _cell(row: Row, mapping: ColumnMapping, key: Field) -> str:
    column = mapping.columns.get(key)
    return row.cells[column] if column is not None and column < len(row.cells) else ""


def _parse_row(row: Row, mapping: ColumnMapping, seen: _Seen) -> ProductRow | RowProblem:
    name = clean_name(_cell(row, mapping, Field.NAME))
    problem = _skip_reason(row, name, mapping)
    if problem is None:
        problem = _doubled(row, name, _cell(row, mapping, Field.CODE), seen)
    if problem is not None:
        return RowProblem(line_no=row.line_no, name=name, problem=problem)
    warnings: list[Problem] = []
    if row.problem is not None:
        warnings.append(row.problem)
    list_amount, cost_amount = _read_prices(row, mapping, warnings)
    if list_amount is None and cost_amount is None:
        unreadable = (odd for odd in warnings if odd.code.startswith("money_"))
        problem = next(unreadable, Problem(code="prices_missing"))
        return RowProblem(line_no=row.line_no, name=name, problem=problem)
    stock_count, is_unlimited, odd_stock = read_stock(_cell(row, mapping, Field.STOCK))
    delivery, odd_delivery = read_delivery(_cell(row, mapping, Field.DELIVERY))
    if delivery is None and odd_delivery is None:
        odd_delivery = Problem(code="delivery_missing")
    category, odd_category = _read_category(row, mapping, seen)
    warnings += [odd for odd in (odd_stock, odd_delivery, odd_category) if odd is not None]
    return ProductRow(
        line_no=row.line_no,
        name=name,
        code=fold_width(_cell(row, mapping, Field.CODE)),
        category=category,
        brand=clean_name(_cell(row, mapping, Field.BRAND)),
        face_value=clean_name(_cell(row, mapping, Field.FACE_VALUE)),
        note=_cell(row, mapping, Field.NOTE),
        cost_amount=cost_amount,
        list_amount=list_amount,
        stock_count=stock_count,
        is_stock_unlimited=is_unlimited,
        delivery=delivery,
        warnings=tuple(warnings),
    )


def _skip_reason(row: Row, name: str, mapping: ColumnMapping) -> Problem | None:
    if not any(row.cells):
        return Problem(code="blank_line")
    if row.problem is not None and row.problem.code in ("above_heading", "undecodable"):
        return row.problem
    label = next(cell for cell in row.cells if cell)
    if _SUMMARY.fullmatch(label.replace(" ", "")):
        return Problem(code="summary_line")
    headings = [field_of_heading(cell) for cell in row.cells if cell]
    if field_of_heading(name) and sum(map(bool, headings)) * 2 > len(headings):
        return Problem(code="repeated_heading")
    if not name:
        return Problem(code="name_missing")
    if len(name) > MAX_NAME_CHARS:
        return Problem(code="name_too_long", params={"limit": MAX_NAME_CHARS})
    return None


def _doubled(row: Row, name: str, code: str, seen: _Seen) -> Problem | None:
    """Find the row again by its code or, without one of its own, by its name; else remember it."""
    same_name = comparable_name(name)
    key = fold_width(code).casefold()
    if key and key in seen.codes:
        first_line_no, first_cells = seen.codes[key]
        if first_cells == row.cells:
            return Problem(code="doubled_row", params={"first_line_no": first_line_no})
        params: dict[str, object] = {"code": code, "first_line_no": first_line_no}
        return Problem(code="doubled_code", params=params)
    if same_name in seen.names:
        return Problem(code="doubled_name", params={"first_line_no": seen.names[same_name]})
    seen.names[same_name] = row.line_no
    if key:
        seen.codes[key] = (row.line_no, row.cells)
    return None


def _read_prices(
    row: Row, mapping: ColumnMapping, warnings: list[Problem]
) -> tuple[Amount | None, Amount | None]:
    list_amount, odd_price = read_money(_cell(row, mapping, Field.LIST_PRICE))
    cost_amount, odd_cost = read_money(_cell(row, mapping, Field.COST))
    if cost_amount is None:
        warnings.append(odd_cost or Problem(code="cost_missing"))
    if list_amount is None:
        warnings.append(odd_price or Problem(code="price_missing"))
    if list_amount == 0:
        warnings.append(Problem(code="price_zero"))
    elif list_amount is not None and cost_amount is not None and cost_amount >= list_amount:
        params: dict[str, object] = {
            "cost": format_yuan(cost_amount),
            "price": format_yuan(list_amount),
        }
        warnings.append(Problem(code="cost_not_below_price", params=params))
    return list_amount, cost_amount


def _read_category(row: Row, mapping: ColumnMapping, seen: _Seen) -> tuple[str, Problem | None]:
    category = clean_name(_cell(row, mapping, Field.CATEGORY))
    if category:
        return category, None
    usual = seen.categories.get(_cell(row, mapping, Field.BRAND))
    if not usual:
        return "", Problem(code="category_missing")
    category = clean_name(max(usual, key=lambda name: (usual[name], name)))
    return category, Problem(code="category_guessed", params={"category": category})
