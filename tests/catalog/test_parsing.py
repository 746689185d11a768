"""Lists of goods as people keep them: every line is a product or an explained problem."""

from collections import Counter
from pathlib import Path

import pytest

from kameng.catalog.parsing import (
    PROBLEM_TEXT,
    DeliveryWord,
    Field,
    ProductRow,
    RowProblem,
    comparable_name,
    guess_mapping,
    parse_products,
)
from kameng.catalog.parsing.cells import read_delivery, read_money, read_stock
from kameng.core.tabular import Table, read_table, table_of_text

DATA = Path(__file__).parents[2] / "data"

ON_REQUEST = {48, 58, 104, 105, 120, 134, 188}
PRICE_MISSING = {43, 52, 56, 90, 96, 119, 144, 169}
CATEGORY_MISSING = {40, 63, 76, 89, 105, 114, 122, 138, 147, 178, 217}
DOUBLED = {
    29: 16,
    97: 5,
    102: 77,
    113: 96,
    179: 52,
    181: 138,
    192: 78,
    201: 51,
    208: 74,
}
# Where the messy list differs from the clean one beyond gaps: stock said in words, another way
# of delivery, a second line in the note.
PLENTY = {"KM00061", "KM00115", "KM00166", "KM00077", "KM00147", "KM00031"}
OTHER_DELIVERY = {
    "KM00017": DeliveryWord.MANUAL,
    "KM00178": DeliveryWord.MANUAL,
    "KM00118": DeliveryWord.MANUAL,
    "KM00071": DeliveryWord.AUTOMATIC,
}
LONGER_NOTE = {
    "KM00153", "KM00123", "KM00008", "KM00055", "KM00151", "KM00046", "KM00106", "KM00074",
    "KM00072",
}  # fmt: skip


def open_table(name: str) -> Table:
    return read_table((DATA / name).read_bytes(), filename=name)


def results_of(table: Table) -> list[ProductRow | RowProblem]:
    return list(parse_products(table, guess_mapping(table)))


def products_of(table: Table) -> list[ProductRow]:
    return [result for result in results_of(table) if isinstance(result, ProductRow)]


def parse_text(text: str) -> list[ProductRow | RowProblem]:
    return results_of(table_of_text(text))


def warning_lines(products: list[ProductRow], code: str) -> set[int]:
    return {
        product.line_no
        for product in products
        if any(warning.code == code for warning in product.warnings)
    }


def test_clean_catalogue_gives_every_product_without_a_word() -> None:
    products = products_of(open_table("catalogue.csv"))

    assert len(products) == 199
    assert not any(product.warnings for product in products)
    assert products[0] == ProductRow(
        line_no=2,
        name="Q币5个 自动充值",
        code="KM00001",
        category="游戏点卡",
        brand="腾讯",
        face_value="",
        note="填写QQ号",
        cost_amount=49_200,
        list_amount=52_200,
        stock_count=500,
        is_stock_unlimited=False,
        delivery=DeliveryWord.TOP_UP,
        warnings=(),
    )


def test_every_line_of_the_messy_list_is_a_product_or_explained() -> None:
    results = results_of(open_table("messy-products.txt"))
    problems = {r.line_no: r.problem for r in results if isinstance(r, RowProblem)}
    products = [r for r in results if isinstance(r, ProductRow)]

    assert (len(products), len(problems)) == (199, 11)
    assert problems[2].code == "blank_line"
    assert problems[222].code == "summary_line"
    assert {
        line_no: problem.params["first_line_no"]
        for line_no, problem in problems.items()
        if problem.code == "doubled_row"
    } == DOUBLED
    assert warning_lines(products, "price_on_request") == ON_REQUEST
    assert warning_lines(products, "price_missing") == PRICE_MISSING
    assert warning_lines(products, "category_guessed") == CATEGORY_MISSING
    assert Counter(warning.code for p in products for warning in p.warnings) == {
        "price_on_request": 7,
        "price_missing": 8,
        "category_guessed": 11,
    }


def test_messy_list_agrees_with_the_clean_catalogue() -> None:
    clean = {product.code: product for product in products_of(open_table("catalogue.csv"))}
    messy = {product.code: product for product in products_of(open_table("messy-products.txt"))}
    without_price = {p.code for p in messy.values() if p.line_no in ON_REQUEST | PRICE_MISSING}

    assert messy.keys() == clean.keys()
    for code, product in messy.items():
        same = clean[code]
        assert (product.name, product.category, product.brand, product.cost_amount) == (
            same.name,
            same.category,
            same.brand,
            same.cost_amount,
        )
        assert product.list_amount == (None if code in without_price else same.list_amount)
        assert product.is_stock_unlimited == (code in PLENTY)
        assert product.stock_count == (None if code in PLENTY else same.stock_count)
        assert product.delivery == OTHER_DELIVERY.get(code, same.delivery)
        assert product.note == same.note + "\n支持售后" * (code in LONGER_NOTE)


@pytest.mark.parametrize("name", ["catalogue.csv", "messy-products.txt"])
@pytest.mark.parametrize("heading", ["", "锟斤拷{0}??{0}a{0}b{0}c{0}d{0}e{0}f{0}g\n"])
def test_columns_are_known_by_their_cells_when_headings_are_missing_or_garbled(
    name: str, heading: str
) -> None:
    table = open_table(name)
    text = (DATA / name).read_bytes().decode(table.encoding).split("\n", 1)[1]
    bare = table_of_text(heading.format(table.delimiter) + text)
    mapping = guess_mapping(bare)

    assert mapping.columns == guess_mapping(table).columns
    assert mapping.has_heading is bool(heading)
    assert max(mapping.confidence_bps.values()) <= 6_000
    assert [p.code for p in products_of(bare)] == [p.code for p in products_of(table)]


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("商品名称", Field.NAME),
        ("品名", Field.NAME),
        (" 标 题 ", Field.NAME),
        ("类目", Field.CATEGORY),
        ("零售价（元）", Field.LIST_PRICE),
        ("建议售价", Field.LIST_PRICE),
        ("拿货价", Field.COST),
        ("进货价格", Field.COST),
        ("剩余库存数量", Field.STOCK),
        ("发货方式*", Field.DELIVERY),
        ("货号", Field.CODE),
        ("ＳＫＵ", Field.CODE),
        ("商品描述", Field.NOTE),
        ("品牌", Field.BRAND),
        ("面值", Field.FACE_VALUE),
    ],
)
def test_heading_is_known_in_many_wordings(heading: str, field: Field) -> None:
    other = "品名" if field is Field.LIST_PRICE else "售价"
    text = f"{heading}\t{other}\n甲\tKM1\n乙\tKM2\n"

    assert guess_mapping(table_of_text(text)).columns[field] == 0


def test_type_column_is_a_category_when_its_cells_are() -> None:
    text = "品名,类型,售价\n甲,游戏点卡套餐,1.5\n乙,视频会员,2.5\n丙,学习,3.5\n"

    assert guess_mapping(table_of_text(text)).columns[Field.CATEGORY] == 1


def test_choice_of_a_person_replaces_the_guess() -> None:
    table = table_of_text("品名,售价,另一价\n甲,1.50,2.00\n")
    mapping = guess_mapping(table).choose(Field.LIST_PRICE, 2).choose(Field.COST, 1)
    product = next(iter(parse_products(table, mapping)))

    assert isinstance(product, ProductRow)
    assert (product.cost_amount, product.list_amount) == (15_000, 20_000)
    assert mapping.confidence_bps[Field.LIST_PRICE] == 10_000
    assert Field.COST not in mapping.choose(Field.COST, None).columns


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("12.5", 125_000),
        ("￥１２．５０元", 125_000),
        (" ¥ 1,234.50 ", 12_345_000),
        ("１，２３４元", 12_340_000),
        ("5元/张", 50_000),
        ("RMB 3", 30_000),
        (".5", 5_000),
        ("0.0123", 123),
        ("12.50000", 125_000),
        ("0", 0),
    ],
)
def test_money_is_read_with_units_width_and_separators(cell: str, amount: int) -> None:
    assert read_money(cell) == (amount, None)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("面议", "price_on_request"),
        ("联系客服", "price_on_request"),
        ("-5", "money_negative"),
        ("10-12", "money_is_a_range"),
        ("12,5", "money_unclear"),
        ("1.2.3", "money_unclear"),
        ("1e5", "money_unclear"),
        ("1.2万", "money_unclear"),
        ("٣", "money_unclear"),
        ("1.23456", "money_precision"),
        ("9999999999", "money_range"),
        ("99999999999999999999.5", "money_range"),
        ("=cmd|' /C calc'!A0", "money_unclear"),
    ],
)
def test_money_that_cannot_be_read_is_explained(cell: str, code: str) -> None:
    amount, problem = read_money(cell)

    assert amount is None
    assert problem is not None
    assert problem.code == code
    assert problem.text(PROBLEM_TEXT)


@pytest.mark.parametrize("cell", ["", " ", "-", "无", "暂无", "N/A"])
def test_cell_without_a_value_is_empty_and_no_problem(cell: str) -> None:
    assert read_money(cell) == (None, None)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("500", (500, False, None)),
        ("１,０００ 张", (1000, False, None)),
        ("999+", (999, False, None)),
        ("3.0", (3, False, None)),
        ("充足", (None, True, None)),
        ("缺货", (0, False, None)),
        ("", (None, False, None)),
    ],
)
def test_stock_is_read_in_numbers_and_words(
    cell: str, expected: tuple[int | None, bool, None]
) -> None:
    assert read_stock(cell) == expected


@pytest.mark.parametrize("cell", ["-1", "很快", "1e9", "99999999999999"])
def test_stock_that_cannot_be_read_is_explained(cell: str) -> None:
    count, is_unlimited, problem = read_stock(cell)

    assert (count, is_unlimited) == (None, False)
    assert problem is not None
    assert problem.code == "stock_unclear"


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("卡密", DeliveryWord.AUTOMATIC),
        ("卡密发货", DeliveryWord.AUTOMATIC),
        ("自动发货", DeliveryWord.AUTOMATIC),
        ("自动", DeliveryWord.AUTOMATIC),
        ("直充", DeliveryWord.TOP_UP),
        ("官方直充", DeliveryWord.TOP_UP),
        ("代充", DeliveryWord.TOP_UP),
        ("人工", DeliveryWord.MANUAL),
        ("手工代充", DeliveryWord.MANUAL),
        ("代练", DeliveryWord.MANUAL),
    ],
)
def test_delivery_is_read_from_its_words(cell: str, word: DeliveryWord) -> None:
    assert read_delivery(cell) == (word, None)


def test_odd_rows_are_explained_one_by_one() -> None:
    results = parse_text(
        "商品名称,编号,售价,进货价,发货方式,分类\n"
        "甲,A1,2.00,1.00,自动,游戏\n"
        "乙,A1,3.00,1.00,自动,游戏\n"
        "甲 ,A2,2.00,1.00,自动,游戏\n"
        ",A3,2.00,1.00,自动,游戏\n"
        "商品名称,编号,售价,进货价,发货方式,分类\n"
        "丙,A4,,,自动,游戏\n"
        "丁,A5,一百,,自动,游戏\n"
        f"{'长' * 121},A6,2.00,1.00,自动,游戏\n"
        "总计：,,99,,,\n"
    )
    codes = [r.problem.code if isinstance(r, RowProblem) else "" for r in results]

    assert codes == [
        "",
        "doubled_code",
        "doubled_name",
        "name_missing",
        "repeated_heading",
        "prices_missing",
        "money_unclear",
        "name_too_long",
        "summary_line",
    ]
    assert all(r.problem.text(PROBLEM_TEXT) for r in results if isinstance(r, RowProblem))


def test_products_that_lose_money_or_lack_something_are_warned_about() -> None:
    results = parse_text(
        "商品名称,售价,进货价,发货方式,分类,库存\n甲,1.00,1.00,自动,游戏,5\n乙,0,,快递,,很多很多\n"
    )
    warnings = [[w.code for w in r.warnings] for r in results if isinstance(r, ProductRow)]

    assert warnings == [
        ["cost_not_below_price"],
        ["cost_missing", "price_zero", "stock_unclear", "delivery_unclear", "category_missing"],
    ]


def test_names_compare_equal_beyond_width_case_blanks_and_signs() -> None:
    assert comparable_name("ＱＱ音乐 VIP（1个月）") == comparable_name("qq音乐vip-1个月")
    assert comparable_name("点卡1.5元") != comparable_name("点卡15元")
    assert comparable_name("年卡×1") != comparable_name("年卡×3")


def test_any_text_gives_one_result_a_record_and_never_raises() -> None:
    nasty = ['"', "\t\t\t", "=1+1", "\0", "🎮", "９" * 50, "a" * 9_000, "-", '""""', "合计,合计"]
    text = "商品名称,售价\n" + "\n".join(f"{cell},{cell}" for cell in nasty) + "\n好的,1.5\n"
    table = table_of_text(text)
    results = results_of(table)

    assert len(results) == len(list(table.rows))
    assert [r.name for r in results if isinstance(r, ProductRow)][-1] == "好的"
