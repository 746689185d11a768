"""How Chinese runs of characters are read, remembered between builds of the search index.

Owns the conversation with the child process that holds the dictionaries. Promises syllables in the
order of the characters and a memory of about a MiB, since goods repeat the same words.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypedDict

CHINESE: Final = re.compile(r"[\u3400-\u9fff]+")
MAX_RUNS: Final = 200_000
_TIMEOUT_SECONDS: Final = 120
# A path and not an import: importing it would load the dictionaries here.
_CHILD: Final = Path(__file__).with_name("pinyin_child.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class PinyinBook:
    """Readings of runs, by phrase, and of single everyday characters."""

    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    characters: Mapping[str, str] = field(default_factory=dict)

    def syllables(self, run: str) -> tuple[str, ...]:
        """Return the reading of a run, character by character when it is not in the book."""
        known = self.runs.get(run)
        return known or tuple(self.characters.get(character, "") for character in run)

    def extended(self, runs: Iterable[str]) -> "PinyinBook":
        """Return a book of exactly these runs; only those not yet known are looked up."""
        wanted = list(dict.fromkeys(runs))[:MAX_RUNS]
        missing = [run for run in wanted if run not in self.runs]
        if not missing and self.characters:
            return PinyinBook(
                runs={run: self.runs[run] for run in wanted}, characters=self.characters
            )
        answer = _ask(missing, with_characters=not self.characters)
        # Some four hundred syllables read everything: keep one copy of each.
        found = {
            run: tuple(map(sys.intern, syllables))
            for run, syllables in zip(missing, answer["runs"], strict=True)
        }
        characters = {key: sys.intern(value) for key, value in answer["characters"].items()}
        return PinyinBook(
            runs={run: found.get(run) or self.runs[run] for run in wanted},
            characters=self.characters or characters,
        )


class _Answer(TypedDict):
    runs: list[list[str]]
    characters: dict[str, str]


def _ask(runs: list[str], *, with_characters: bool) -> _Answer:
    request = json.dumps({"runs": runs, "with_characters": with_characters})
    answered = subprocess.run(
        [sys.executable, "-P", str(_CHILD)],
        input=request,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_TIMEOUT_SECONDS,
        check=True,
    )
    answer: _Answer = json.loads(answered.stdout)
    return answer
