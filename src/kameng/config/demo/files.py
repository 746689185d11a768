"""The demo's own files (data/demo in the source tree), read into typed values.

Promises that what is read fits together: every product has its page texts and at least one face
value. Knows no database.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kameng.catalog.inputs import InputField, load_fields
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import repository
from kameng.pricing.money import Amount, parse_yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceValue:
    """One face value of a product; `face_amount` is None where the face is no money of ours."""

    name: str
    face_amount: Amount | None
    cost_amount: Amount
    list_amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What the pages of a kind of goods say, what they ask, and what a delivery by hand says."""

    description: str
    tutorial: str
    after_sale: str
    tags: tuple[str, ...]
    max_quantity: int
    fields: tuple[InputField, ...]
    answers: Mapping[str, str]
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """One product of the demo beyond what the import file says."""

    code: str
    heat: int  # how often it is bought, among the others
    text: PageText
    face_values: tuple[FaceValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """Everything the demo is made of."""

    folder: Path
    goods: Mapping[str, Goods]
    categories: Sequence[tuple[str, str, int]]
    shops: Mapping[str, Any]

    @property
    def products_file(self) -> bytes:
        """The list of products, as the import takes it."""
        return (self.folder / "products.csv").read_bytes()

    @property
    def messy_keys_file(self) -> bytes:
        """Card keys as a shop owner keeps them."""
        return (self.folder.parent / "messy-keys.txt").read_bytes()


def read_files() -> DemoFiles:
    """Read the demo's files; raise `LaunchFailed` when they are not here."""
    root = repository()
    folder = root / "data" / "demo" if root else None
    if folder is None or not folder.is_dir():
        raise LaunchFailed(
            "The demo's files are part of the source tree, which is not here.",
            remedy="Run `kameng demo` from a clone, or `kameng up` for an empty shop.",
        )
    texts = {
        key: _page_text(entry)
        for key, entry in json.loads((folder / "texts.json").read_text(encoding="utf-8")).items()
    }
    face_values: dict[str, list[FaceValue]] = defaultdict(list)
    for row in _rows(folder / "variants.csv"):
        face_values[row["商品编码"]].append(_face_value(row))
    goods = {
        row["商品编码"]: Goods(
            code=row["商品编码"],
            heat=int(row["热度"]),
            text=texts[row["文案"]],
            face_values=tuple(face_values[row["商品编码"]]),
        )
        for row in _rows(folder / "pages.csv")
    }
    categories = [
        (row["分类"], row["图标"], int(row["排序"])) for row in _rows(folder / "categories.csv")
    ]
    shops = json.loads((folder / "sites.json").read_text(encoding="utf-8"))
    return DemoFiles(folder=folder, goods=goods, categories=categories, shops=shops)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _face_value(row: Mapping[str, str]) -> FaceValue:
    return FaceValue(
        name=row["规格"],
        face_amount=parse_yuan(row["面值"]) if row["面值"] else None,
        cost_amount=parse_yuan(row["进货价"]),
        list_amount=parse_yuan(row["建议售价"]),
    )


def _page_text(entry: Mapping[str, Any]) -> PageText:
    return PageText(
        description=entry["description"],
        tutorial=entry["tutorial"],
        after_sale=entry["after_sale"],
        tags=tuple(entry["tags"]),
        max_quantity=entry["max_quantity"],
        fields=load_fields(entry.get("fields", [])),
        answers=entry.get("answers", {}),
        receipt=entry.get("receipt", ""),
    )
