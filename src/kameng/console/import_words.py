"""What an import found, in words: tallies, problems by line, why it failed.

Promises a sentence for every code that a parser or a job knows, in the language in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext

from kameng.catalog import parsing as goods_parsing
from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.core import tabular
from kameng.core.problems import gettext_noop
from kameng.inventory import parsing as key_parsing

_OWN: Final = {
    "in_stock": gettext_noop("库存里已经有这张卡密，不会重复导入。"),
    "upload_missing": gettext_noop("上传的文件已不在，请重新选择文件导入。"),
}
KEY_TEXTS: Final = tabular.PROBLEM_TEXT | key_parsing.PROBLEM_TEXT | _OWN
GOODS_TEXTS: Final = goods_parsing.PROBLEM_TEXT | _OWN
_HARMLESS: Final = frozenset(
    {"blank_line", "heading", "summary_line", "no_content", "repeated_heading", "above_heading"}
)
_DOUBLED: Final = frozenset({"duplicate", "hidden_duplicate", "in_stock", "doubled_row"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRow:
    """One odd line: where, why, and how bad: bad (must be mended), warn (skipped), plain."""

    line_no: int
    text: str
    tone: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """How many lines have one problem."""

    code: str
    text: str
    count: int
    tone: str


def explain_problems(job: ImportJob, *, code: str = "") -> list[ProblemRow]:
    """Return the problems that the import keeps, in the order of the lines."""
    texts = _texts(job)
    return [
        ProblemRow(
            line_no=int(each.get("line", 0)),
            text=_fill(texts, each["code"], each.get("params", {})),
            tone=tone_of(each["code"]),
            name=str(each.get("name", "")),
        )
        for each in job.problems
        if each.get("line", 0) and (not code or each["code"] == code)
    ]


def count_rows(job: ImportJob) -> list[CountRow]:
    """Return how often each problem stands in the file, the worst first."""
    texts, counts = _texts(job), job.options.get("report", {}).get("counts", {})
    rows = [
        CountRow(code=code, text=_short(texts, code), count=count, tone=tone_of(code))
        for code, count in counts.items()
        if code in texts
    ]
    order = ("bad", "warn", "plain")
    return sorted(rows, key=lambda row: (order.index(row.tone), -row.count, row.code))


def explain_failure(job: ImportJob) -> str:
    """Return why the import could not be read, empty while it could."""
    if job.state != ImportState.FAILED or not job.problems:
        return ""
    first = job.problems[0]
    return _fill(_texts(job), first["code"], first.get("params", {}))


def tone_of(code: str) -> str:
    """Tell what has to be mended from what is skipped with good reason."""
    if code in _HARMLESS:
        return "plain"
    return "warn" if code in _DOUBLED else "bad"


def _texts(job: ImportJob) -> Mapping[str, str]:
    return KEY_TEXTS if job.kind == ImportKind.CARD_KEYS else GOODS_TEXTS


def _fill(texts: Mapping[str, str], code: str, params: Mapping[str, Any]) -> str:
    text = texts.get(code)
    if text is None:
        return code
    try:
        return gettext(text) % dict(params)
    except KeyError:
        return _short(texts, code)


_SHORT: Final = {
    "duplicate": gettext_noop("文件里重复"),
    "hidden_duplicate": gettext_noop("去掉看不见的字符后重复"),
    "in_stock": gettext_noop("库存里已有"),
    "blank_line": gettext_noop("空行"),
    "heading": gettext_noop("表头"),
    "summary_line": gettext_noop("合计行"),
    "no_content": gettext_noop("只有分隔符"),
    "too_long": gettext_noop("太长"),
    "undecodable": gettext_noop("有无法识别的字符"),
    "rounded_by_spreadsheet": gettext_noop("数字被表格软件改写"),
    "secret_missing": gettext_noop("只有卡号没有密码"),
    "number_missing": gettext_noop("找不到分隔符"),
    "name_missing": gettext_noop("没有商品名称"),
    "name_too_long": gettext_noop("商品名称太长"),
    "prices_missing": gettext_noop("没有价格"),
    "doubled_row": gettext_noop("完全相同的行"),
    "doubled_code": gettext_noop("编号重复"),
    "doubled_name": gettext_noop("名称重复"),
    "repeated_heading": gettext_noop("重复的表头"),
    "above_heading": gettext_noop("表头上方的文字"),
}


def _short(texts: Mapping[str, str], code: str) -> str:
    if code in _SHORT:
        return gettext(_SHORT[code])
    return gettext(texts[code]).split("，")[0].rstrip("。").replace("%%", "%")
