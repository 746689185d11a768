"""The sentences for everything that an import of keys can be odd about, by code."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kameng.core import tabular
from kameng.core.problems import gettext_noop
from kameng.inventory import parsing

PROBLEM_TEXT: Final[Mapping[str, str]] = (
    tabular.PROBLEM_TEXT
    | parsing.PROBLEM_TEXT
    | {
        "in_stock": gettext_noop("这条卡密以前已经导入过，没有重复导入。"),
        "upload_missing": gettext_noop("上传的文件已不存在或已损坏，请重新上传。"),
    }
)


def explain_problem(problem: Mapping[str, Any], *, translate: Callable[[str], str] = str) -> str:
    """Write a stored problem as one sentence; `translate` maps each text to the reader's words."""
    params: Mapping[str, object] = problem["params"]
    return translate(PROBLEM_TEXT[problem["code"]]) % params
