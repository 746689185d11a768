"""docs/events.md, written from the wiring: every event, who publishes it, who hears it and when.

`tools/events_doc.py` writes the document; `--check` only says whether it is what the code says.
Publishers are found in the source: calls of `publish` in Python, kinds named in SQL functions.
"""

import argparse
import ast
import dataclasses
import difflib
import importlib
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kameng.core.events import Event

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
os.environ.setdefault("KAMENG_SECRET_KEY", "a-document-needs-no-secret")

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "kameng"
DOCUMENT = ROOT / "docs" / "events.md"
FUNCTION = re.compile(r"create or replace function (\w+)\s*\(", re.IGNORECASE)

HEAD = """\
# Events

Written by `tools/events_doc.py` from `config/wiring.py` and each app's `events.py`; do not edit.

An event is a fact in the past tense that a lower app states and an app above it hears. It carries
ids and plain values, never rows. Publishing is refused outside a transaction: the event is one row
of the table `core_event`, written in the transaction of the change it speaks of, so after a
rollback no trace of it exists.

- **In the same transaction**: the handler runs at once, inside the publisher's transaction. Only
  for what must be true together.
- **After the commit**: a consumer reads the log in batches of at most {batch}, in the worker, with
  a position of its own that moves in the transaction of what it writes. Events are ordered by
  transaction id, and only those of transactions older than every running one are read, so one that
  commits late is not skipped. At least once: a consumer that fails is tried again.

Events published by an SQL function reach after-commit consumers only.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One event as the document tells it."""

    name: str
    kind: str
    meaning: str
    carries: str
    published_by: str
    at_once: str
    after_commit: str


def find_publishers() -> Iterator[tuple[str, str]]:
    """Yield (name of the event's class or its kind, where it is published)."""
    for path in sorted(PACKAGE.glob("*/**/*.py")):
        text = path.read_text(encoding="utf-8")
        if "publish(" not in text or path.parent.name == "core":
            continue
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef):
                for name in _published_names(function):
                    yield name, f"`{_dotted(path)}.{function.name}`"
    for path in sorted(PACKAGE.glob("*/sql/*.sql")):
        function_name = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            opened = FUNCTION.search(line)
            function_name = opened.group(1) if opened else function_name
            for kind in re.findall(r"'(\w+\.\w+)'", line):
                yield kind, f"`{function_name}` (SQL)"


def _published_names(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "publish" and node.args:
            event = node.args[0]
            if isinstance(event, ast.Call):
                yield ast.unparse(event.func)


def _dotted(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def _name_of(handler: Callable[..., object]) -> str:
    return f"`{handler.__module__.removeprefix('kameng.')}.{handler.__name__}`"


def list_lines() -> list[Line]:
    """Return every event of the program, by app and in the order of its file."""
    import django

    django.setup()
    from kameng.config import wiring
    from kameng.core.events import Event

    where: dict[str, list[str]] = {}
    for key, place in find_publishers():
        if place not in where.setdefault(key, []):
            where[key].append(place)
    lines = []
    for event in _list_events(Event):
        carried = [field.name for field in dataclasses.fields(event)]
        lines.append(
            Line(
                name=event.__name__,
                kind=event.KIND,
                meaning=" ".join((event.__doc__ or "").split()),
                carries=", ".join(f"`{name}`" for name in carried),
                published_by=", ".join(where.get(event.__name__, []) + where.get(event.KIND, [])),
                at_once=", ".join(map(_name_of, wiring.SAME_TRANSACTION.get(event, ()))),
                after_commit=", ".join(
                    f"`{each.name}`" for each in wiring.AFTER_COMMIT if event in each.events
                ),
            )
        )
    return lines


def _list_events(base: "type[Event]") -> "list[type[Event]]":
    """Return the events of every `events.py`, app by app, in the order of the file."""
    found: list[type[Event]] = []
    for path in sorted(PACKAGE.glob("*/events.py")):
        module = importlib.import_module(f"kameng.{path.parent.name}.events")
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, base) and each is not base
        ]
    return found


def render() -> str:
    """Return the whole document."""
    from kameng.core.events import BATCH_SIZE

    lines = list_lines()
    parts = [HEAD.format(batch=BATCH_SIZE)]
    parts.append(
        "\n| event | kind | in the same transaction | after the commit |\n|---|---|---|---|"
    )
    parts += [
        f"\n| `{each.name}` | `{each.kind}` | {each.at_once or '–'} | {each.after_commit or '–'} |"
        for each in lines
    ]
    parts.append("\n")
    for each in lines:
        parts.append(f"\n## {each.name}\n\n{each.meaning}\n\n")
        parts.append(f"Carries {each.carries}.\nPublished by {each.published_by or 'nobody'}.\n")
    return "".join(parts)


def main() -> int:
    """Write the document, or compare it; 1 when it differs."""
    parser = argparse.ArgumentParser(description="Write docs/events.md from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    wanted = parser.parse_args()
    text = render()
    if not wanted.check:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    stands = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    differences = difflib.unified_diff(
        stands.splitlines(), text.splitlines(), "file", "code", "", "", 1, ""
    )
    shown = list(differences)
    for line in shown:
        print(line)
    if shown:
        print("docs/events.md is not what the code says; run tools/events_doc.py", file=sys.stderr)
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
