"""Reads Chinese aloud in a process of its own: JSON with runs of characters in, syllables out.

The dictionaries of phrases that tell 重庆 from 重量 take 57 MiB once loaded, in every process that
loads them; here they live for the second that an index needs them.
"""

import json
import sys
from collections.abc import Iterable

from pypinyin import Style, lazy_pinyin

_FIRST_ROW, _LAST_ROW = 0xB0, 0xF7
"""The rows of GB2312 that hold characters: the 6763 in everyday use."""


def read_runs(runs: Iterable[str]) -> list[list[str]]:
    """Return the syllables of each run, by the phrases in it; characters nobody reads have none."""
    return [lazy_pinyin(run, style=Style.NORMAL, errors="ignore") for run in runs]


def everyday_characters() -> str:
    """Return the characters of GB2312."""
    codes = (
        bytes((row, cell)) for row in range(_FIRST_ROW, _LAST_ROW + 1) for cell in range(0xA1, 0xFF)
    )
    return "".join(code.decode("gb2312", "ignore") for code in codes)


def main() -> None:
    """Answer one request from standard input."""
    request = json.load(sys.stdin)
    characters = everyday_characters() if request["with_characters"] else ""
    answer = {
        "runs": read_runs(request["runs"]),
        # One by one: beside each other they would make phrases by chance.
        "characters": {
            character: syllables[0]
            for character, syllables in zip(characters, read_runs(characters), strict=True)
            if syllables
        },
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
