"""What an import found, in words: tallies, problems by line, why it failed.

Promises a sentence for every code that a parser or a job knows, in the language in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext

from kameng.catalog.adopting import ADOPTING_TEXT
from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.core.problems import gettext_noop
from kameng.inventory import texts as key_texts

KEY_TEXTS: Final = key_texts.PROBLEM_TEXT
GOODS_TEXTS: Final = ADOPTING_TEXT
_NOTES: Final = {"with_number": gettext_noop("分出了卡号和密码。")}
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
            tone="warn" if each.get("is_kept") else tone_of(each["code"]),
            name=str(each.get("name", "")),
        )
        for each in job.problems
        if each.get("line", 0) and (not code or each["code"] == code)
    ]


def count_rows(job: ImportJob) -> list[CountRow]:
    """Return how often each problem stands in the file, the worst first."""
    texts, counts = _texts(job), job.options.get("report", {}).get("counts", {})
    kept = {each["code"] for each in job.problems if each.get("is_kept")}
    rows = [
        CountRow(
            code=code,
            text=_short(texts, code),
            count=count,
            tone="warn" if code in kept else tone_of(code),
        )
        for code, count in counts.items()
        if code in texts
    ]
    order = ("bad", "warn", "plain")
    return sorted(rows, key=lambda row: (order.index(row.tone), -row.count, row.code))


def note_rows(job: ImportJob) -> list[CountRow]:
    """Return what was tidied on lines that are stored all the same."""
    texts, notes = {**_texts(job), **_NOTES}, job.options.get("report", {}).get("notes", {})
    return [
        CountRow(code=code, text=_fill(texts, code, {}), count=count, tone="plain")
        for code, count in sorted(notes.items())
        if code in texts
    ]


def explain_failure(job: ImportJob) -> str:
    """Return why the import could not be read, empty while it could."""
    if job.state != ImportState.FAILED or not job.problems:
        return ""
    first = job.problems[0]
    return _fill(_texts(job), first["code"], first.get("params", {}))


def explain_file(job: ImportJob) -> list[str]:
    """Return what is odd about the file as a whole."""
    texts = _texts(job)
    problems = job.options.get("report", {}).get("file_problems", [])
    return [_fill(texts, each["code"], each.get("params", {})) for each in problems]


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
    "open_quote": gettext_noop("引号没有成对"),
    "number_missing": gettext_noop("找不到分隔符"),
    "name_missing": gettext_noop("没有商品名称"),
    "name_too_long": gettext_noop("商品名称太长"),
    "prices_missing": gettext_noop("没有价格"),
    "doubled_row": gettext_noop("完全相同的行"),
    "doubled_code": gettext_noop("编号重复"),
    "doubled_name": gettext_noop("名称重复"),
    "repeated_heading": gettext_noop("重复的表头"),
    "above_heading": gettext_noop("表头上方的文字"),
    "price_missing": gettext_noop("没有售价"),
    "cost_missing": gettext_noop("没有进货价"),
    "price_on_request": gettext_noop("售价不是数字"),
    "cost_not_below_price": gettext_noop("进货价不低于售价"),
    "raised_to_cost": gettext_noop("售价低于进货价"),
    "money_unclear": gettext_noop("金额看不懂"),
    "money_negative": gettext_noop("金额是负数"),
    "money_is_a_range": gettext_noop("金额是一个范围"),
    "money_precision": gettext_noop("金额小数太多"),
    "money_range": gettext_noop("金额太大"),
    "price_zero": gettext_noop("售价是 0"),
    "stock_unclear": gettext_noop("库存看不懂"),
    "stock_none": gettext_noop("库存为 0"),
    "delivery_unclear": gettext_noop("发货方式看不懂"),
    "delivery_missing": gettext_noop("没有发货方式"),
    "category_missing": gettext_noop("没有分类"),
    "category_guessed": gettext_noop("分类是推测的"),
    "code_missing": gettext_noop("没有编号"),
    "several_variants": gettext_noop("有几个规格"),
    "field_invalid": gettext_noop("内容不合要求"),
}


def _short(texts: Mapping[str, str], code: str) -> str:
    if code in _SHORT:
        return gettext(_SHORT[code])
    return gettext(texts[code]).split("，")[0].rstrip("。").replace("%%", "%")
