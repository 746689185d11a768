"""Tables as PDF: readable objects, Chinese as such, nothing set over its neighbour."""

import re
import zlib

from kameng.core.pdf import GUTTER, PdfColumn, PdfTable, cut, width_of, write_pdf

COLUMNS = [PdfColumn(label="项目", share=3), PdfColumn(label="金额", share=1, is_number=True)]


def pages_of(file: bytes) -> list[str]:
    parts = re.findall(rb"stream\n(.*?)\nendstream", file, flags=re.S)
    return [zlib.decompress(part).decode() for part in parts]


def make(rows: list[tuple[str, str]]) -> bytes:
    return write_pdf(
        PdfTable(title="对账单", facts=[("期间", "2026-11")], columns=COLUMNS, rows=rows, foot="f")
    )


def test_every_object_lies_where_the_index_says() -> None:
    file = make([("购买商品", "1.00")])
    start = int(re.findall(rb"startxref\n(\d+)", file)[0])
    offsets = [int(each) for each in re.findall(rb"(\d{10}) 00000 n", file[start:])]

    assert file.startswith(b"%PDF-1.5")
    assert file[start:].startswith(b"xref")
    for number, offset in enumerate(offsets, start=1):
        assert file[offset:].startswith(f"{number} 0 obj".encode())


def test_chinese_is_set_by_code_and_ascii_by_letter() -> None:
    (page,) = pages_of(make([("购买 (A\\B)", "-12.50")]))

    assert "购买".encode("utf-16-be").hex() in page
    assert r"\(A\\B\)" in page
    assert "(-12.50) Tj" in page


def test_a_long_list_takes_pages_with_their_numbers() -> None:
    pages = pages_of(make([(f"行{number}", "1.00") for number in range(120)]))

    assert len(pages) > 2
    assert f"(1 / {len(pages)}) Tj" in pages[0]
    assert f"({len(pages)} / {len(pages)}) Tj" in pages[-1]


def test_an_empty_list_is_one_page() -> None:
    assert len(pages_of(make([]))) == 1


def test_what_is_too_wide_is_cut() -> None:
    text = cut("很长" * 100, 100_000)

    assert text.endswith("...")
    assert width_of(text) <= 100_000
    assert cut("短", 100_000 - GUTTER) == "短"
