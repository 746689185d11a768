"""Lists of goods as shop owners keep them, turned into rows that can become products.

Owns the guess of columns, the reading of cells and the account of every line. Promises that a
table in gives one result a record out: a product, with warnings, or the reason why it is none.
Pure: no Django, no database; sentences are codes with a table of texts.
"""

from kameng.catalog.parsing.cells import DeliveryWord
from kameng.catalog.parsing.mapping import ColumnMapping, Field, guess_mapping
from kameng.catalog.parsing.products import (
    ProductRow,
    RowProblem,
    comparable_name,
    parse_products,
)
from kameng.catalog.parsing.texts import PROBLEM_TEXT

__all__ = [
    "PROBLEM_TEXT",
    "ColumnMapping",
    "DeliveryWord",
    "Field",
    "ProductRow",
    "RowProblem",
    "comparable_name",
    "guess_mapping",
    "parse_products",
]
