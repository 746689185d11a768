"""Tables in every dress that people upload; odd lines are told, files that are none refused."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from kameng.core.tabular import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    PROBLEM_TEXT,
    WORKBOOK,
    Row,
    TableUnreadable,
    guess_delimiter,
    read_table,
    table_of_text,
)

DATA = Path(__file__).parents[2] / "data"
SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def make_workbook(rows: str, *, sheets: int = 1) -> bytes:
    """Return a minimal XLSX whose sheets all hold the given rows, as XML."""
    numbers = range(1, sheets + 1)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{OFFICE}/worksheet" Target="worksheets/{n}.xml"/>'
            for n in numbers
        )
        + "</Relationships>",
    }
    for n in numbers:
        sheet = f'<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData></worksheet>'
        parts[f"xl/worksheets/{n}.xml"] = sheet
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + content)
    return buffer.getvalue()


def cell(place: str, value: str) -> str:
    """Return a cell of text, or of a number when the value is one."""
    if value.replace(".", "").isdigit():
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def refusal(data: bytes, filename: str = "") -> str:
    with pytest.raises(TableUnreadable) as refused:
        read_table(data, filename=filename)
    assert refused.value.problem.text(PROBLEM_TEXT)
    return refused.value.problem.code


def read_rows(text: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.line_no, row.cells) for row in table_of_text(text).rows]


def test_clean_catalogue_is_read_whole() -> None:
    table = read_table((DATA / "catalogue.csv").read_bytes(), filename="catalogue.csv")
    rows = list(table.rows)

    assert (table.encoding, table.delimiter, table.header_line_no) == ("utf-8-sig", ",", 1)
    assert table.header[:3] == ("商品编码", "商品名称", "分类")
    assert len(rows) == 199
    assert rows[0].cells[:3] == ("KM00001", "Q币5个 自动充值", "游戏点卡")
    assert not any(row.problem for row in rows)


def test_messy_list_is_read_whole_and_every_physical_line_belongs_to_a_row() -> None:
    table = read_table((DATA / "messy-products.txt").read_bytes(), filename="商品表.txt")
    rows = list(table.rows)

    assert (table.encoding, table.delimiter, table.header_line_no) == ("gb18030", "\t", 1)
    assert len(rows) == 210
    assert sum(row.line_count for row in rows) == 221
    assert [row.line_no for row in rows if not row.cells] == [2]
    assert next(row for row in rows if row.line_no == 5).cells[7] == "付款后自动发货\n支持售后"
    assert list(table.rows) == rows


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sign", ["\t", ",", ";", "|", "｜"])
def test_every_delimiter_and_line_end_gives_the_same_rows(sign: str, end: str) -> None:
    text = end.join(sign.join(row) for row in (["名称", "售价"], ["甲", "1.00"], ["乙", "2.00"]))
    table = table_of_text(text)

    assert table.header == ("名称", "售价")
    assert [row.cells for row in table.rows] == [("甲", "1.00"), ("乙", "2.00")]


def test_text_without_a_delimiter_is_one_column() -> None:
    assert guess_delimiter("AAAA-1\nBBBB-2\n说明，有逗号\n") == ""


def test_quotes_keep_delimiters_breaks_and_doubled_quotes() -> None:
    text = '名称,说明,售价\n"甲,""一""","第一行\n第二行",1.5\n乙,x,2.5\n'

    assert read_rows(text) == [(2, ('甲,"一"', "第一行\n第二行", "1.5")), (4, ("乙", "x", "2.5"))]


def test_quote_that_never_closes_spoils_its_own_line_only() -> None:
    text = '名称,说明,售价\n甲,"没有收尾,1\n乙,"两\n行",2\n丙,17" 屏,3\n'
    rows = list(table_of_text(text).rows)

    assert [row.cells for row in rows] == [
        ("甲", '"没有收尾', "1"),
        ("乙", "两\n行", "2"),
        ("丙", '17" 屏', "3"),
    ]
    assert [row.problem.code for row in rows if row.problem] == ["open_quote"]


def test_title_above_the_heading_is_told_and_not_taken_for_it() -> None:
    table = table_of_text("某某商行报价,,\n名称,售价,库存\n甲,1.5,3\n")
    first = next(table.rows)

    assert table.header == ("名称", "售价", "库存")
    assert first.problem is not None
    assert first.problem.code == "above_heading"


def test_table_without_a_heading_starts_with_its_first_row() -> None:
    table = table_of_text("甲,1.50,3\n乙,2.50,4\n")

    assert table.header == ()
    assert len(list(table.rows)) == 2


def test_invisible_characters_go_out_of_cells() -> None:
    text = "名称,售价\n\u200b甲\x00\u00a0一 ,\ufeff1.5\n"

    assert read_rows(text) == [(2, ("甲 一", "1.5"))]


def test_wide_rows_and_long_cells_are_cut_and_told() -> None:
    wide = ",".join(["x"] * (MAX_COLUMNS + 5))
    rows = list(table_of_text(f"a,1\nb,2\nc,3\n{wide}\n{'y' * (MAX_CELL_CHARS + 1)},2\n").rows)

    assert [row.problem.code if row.problem else None for row in rows[-2:]] == [
        "too_many_columns",
        "cell_too_long",
    ]
    assert len(rows[-2].cells) == MAX_COLUMNS
    assert len(rows[-1].cells[0]) == MAX_CELL_CHARS


def test_line_that_cannot_be_decoded_is_told_and_the_rest_goes_on() -> None:
    data = "名称,售价\n甲,1.5\n".encode() + b"\xff\xfe\xff,2\n" + "乙,3.5\n".encode() * 20
    rows = list(read_table(data).rows)

    assert [row.line_no for row in rows if row.problem] == [3]
    assert len(rows) == 22


def test_workbook_numbers_and_texts_are_read_as_people_see_them() -> None:
    rows = (
        f'<row r="1">{cell("A1", "名称")}{cell("B1", "售价")}{cell("C1", "卡号")}</row>'
        f'<row r="3">{cell("A3", "甲")}{cell("B3", "31.319999999999997")}{cell("C3", "12")}</row>'
    )
    table = read_table(make_workbook(rows))

    assert (table.delimiter, table.header) == (WORKBOOK, ("名称", "售价", "卡号"))
    assert list(table.rows) == [
        Row(line_no=2, cells=()),
        Row(line_no=3, cells=("甲", "31.32", "12")),
    ]


def test_number_that_the_spreadsheet_rounded_is_told() -> None:
    table = read_table(make_workbook(f'<row r="1">{cell("A1", "6222021234567890123")}</row>'))

    assert [row.problem.code for row in table.rows if row.problem] == ["rounded_number"]


def test_further_sheets_are_mentioned() -> None:
    table = read_table(make_workbook(f'<row r="1">{cell("A1", "甲")}</row>', sheets=3))

    assert [problem.params for problem in table.problems] == [{"count": 3, "sheet": "S1"}]


def test_workbook_that_spans_the_largest_sheet_costs_nothing() -> None:
    rows = f'<row r="1">{cell("A1", "1")}</row><row r="1048576">{cell("XFD1048576", "1")}</row>'

    assert refusal(make_workbook(rows)) == "workbook_too_large"


def test_zip_bomb_is_refused_even_when_it_lies_about_its_size() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/1.xml", b"\0" * (300 << 20))
    honest = buffer.getvalue()
    lying = honest.replace(struct.pack("<L", 300 << 20), struct.pack("<L", 100))

    assert len(honest) < 1 << 20
    assert lying != honest
    assert refusal(honest) == "workbook_too_large"
    assert refusal(lying) == "workbook_too_large"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"\0\0 \r\n", "empty_file"),
        (b"%PDF-1.7 ...", "not_a_table"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "not_a_table"),
        (bytes(range(256)) * 20, "not_a_table"),
        (b"PK\x03\x04 broken", "workbook_unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2048), "workbook_unreadable"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "html_table"),
        (b"a,b\n" * 1_048_577, "too_many_rows"),
        (b"x" * ((32 << 20) + 1), "file_too_large"),
    ],
)
def test_file_that_is_no_table_is_refused_with_a_reason(data: bytes, code: str) -> None:
    assert refusal(data, "x.xls") == code


def test_every_problem_has_a_sentence() -> None:
    assert all(text.endswith("。") for text in PROBLEM_TEXT.values())
