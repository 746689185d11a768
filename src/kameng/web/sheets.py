"""Lists that people take away: a CSV or an XLSX file, written row by row into a file on disk.

Promises that memory does not grow with the list, that no cell is ever a formula (what a buyer or a
supplier wrote is opened by an operator's spreadsheet program), and that long numbers keep every
digit in XLSX. CSV is for programs: UTF-8 with a mark, CRLF, times and amounts as plain text.
"""

import csv
import datetime as dt
import io
import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Literal
from xml.sax.saxutils import escape

from kameng.core.formulas import disarm
from kameng.pricing.money import SCALE, Amount, format_yuan

__all__ = ["MEMORY_BYTES", "TYPES", "Column", "Kind", "disarm", "write_sheet"]

Kind = Literal["text", "whole", "yuan", "time"]
Row = Sequence[Any]

TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MEMORY_BYTES: Final = 1 << 20  # more than this goes to the disk
# What XML 1.0 cannot hold, and the escape by which Excel reads such a sign back.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EXCEL_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_DAY_ZERO: Final = dt.date(1899, 12, 30).toordinal()
_STYLES: Final[dict[str, int]] = {"text": 0, "whole": 0, "yuan": 2, "time": 3}
_WIDTHS: Final[dict[str, int]] = {"text": 24, "whole": 10, "yuan": 14, "time": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, and how its cells are written. Money is `Amount`, times local."""

    label: str
    kind: Kind = "text"


def write_sheet(
    form: str, *, name: str, columns: Sequence[Column], rows: Iterable[Row]
) -> tuple[IO[bytes], int]:
    """Write a list in one of `TYPES`; return the file, at its start, and the number of rows.

    The caller closes the file, which is deleted then.
    """
    file: Any = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - given away
    try:
        count = _WRITERS[form](file, name, columns, rows)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, count


def _write_csv(file: IO[bytes], _name: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([disarm(column.label) for column in columns])
    kinds, count = [column.kind for column in columns], 0
    for row in rows:
        writer.writerow([_plain(kind, cell) for kind, cell in zip(kinds, row, strict=True)])
        count += 1
    text.detach()
    return count


def _plain(kind: Kind, cell: Any) -> str:
    if cell is None:
        return ""
    if kind == "yuan":
        return format_yuan(Amount(cell))
    if kind == "time":
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    return str(cell) if kind == "whole" else disarm(str(cell).replace("\x00", ""))


def _write_xlsx(file: IO[bytes], name: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as book:
        for path, part in _PARTS.items():
            book.writestr(path, part.replace("{name}", escape(_sheet_name(name), {'"': "&quot;"})))
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(_head(columns).encode())
            kinds, count = [column.kind for column in columns], 0
            for row in rows:
                cells = (_cell(kind, cell) for kind, cell in zip(kinds, row, strict=True))
                sheet.write(f"<row>{''.join(cells)}</row>".encode())
                count += 1
            sheet.write(b"</sheetData></worksheet>")
    return count


def _cell(kind: Kind, cell: Any, style: int | None = None) -> str:
    """Return one cell: a number or a time as such, anything else as text, never as a formula."""
    style = _STYLES[kind] if style is None else style
    if cell is None:
        return "<c/>"
    if kind == "yuan":
        return f'<c s="{style}"><v>{_decimal(cell)}</v></c>'
    if kind == "whole":
        return f'<c s="{style}"><v>{int(cell)}</v></c>'
    if kind == "time":
        days = cell.toordinal() - _DAY_ZERO
        part = (cell.hour * 3600 + cell.minute * 60 + cell.second) / 86_400
        return f'<c s="{style}"><v>{days + part:.8f}</v></c>'
    text = _EXCEL_ESCAPE.sub("_x005F_", _NO_XML.sub("", str(cell)))
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _decimal(amount: int) -> str:
    whole, part = divmod(abs(amount), SCALE)
    return f"{'-' if amount < 0 else ''}{whole}.{part:04d}"


def _sheet_name(name: str) -> str:
    return re.sub(r"[\[\]:*?/\\']", " ", _NO_XML.sub("", name))[:31].strip() or "Sheet1"


def _head(columns: Sequence[Column]) -> str:
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{_WIDTHS[column.kind]}" customWidth="1"/>'
        for number, column in enumerate(columns, start=1)
    )
    labels = "".join(_cell("text", column.label, style=1) for column in columns)
    return (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f"</sheetViews><cols>{widths}</cols><sheetData><row>{labels}</row>"
    )


_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS: Final = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_OFFICE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_OFFICE}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_OFFICE}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}">'
        '<sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_REL}/styles" Target="styles.xml"/></Relationships>'
    ),
    # Cell formats: 0 plain, 1 heading (bold), 2 amount, 3 time.
    "xl/styles.xml": (
        f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
        '<numFmt numFmtId="164" formatCode="0.00##"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
        '</cellStyleXfs><cellXfs count="4">'
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
        '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        "</cellXfs></styleSheet>"
    ),
}
_WRITERS: Final = {"csv": _write_csv, "xlsx": _write_xlsx}
