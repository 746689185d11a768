"""What the program has, the documents name: settings, events, tables and their words.

Each rule reads the source and one document. A name in the document that the program no longer
has is a breach as well, so that a reader never meets a ghost.
"""

import ast
import pathlib
import re
from collections.abc import Iterator

SETTING = re.compile(r"\bKAMENG_[A-Z][A-Z0-9_]*[A-Z0-9]\b")
WORD = re.compile(r"`(\w+)[^`]*`")
SKIPPED = {"node_modules", "migrations", "__pycache__"}


def list_breaches(root: pathlib.Path) -> Iterator[str]:
    """Yield what the documents of a repository leave out or invent."""
    yield from check_settings(root)
    yield from check_events(root)
    yield from check_glossary(root)


def check_settings(root: pathlib.Path) -> Iterator[str]:
    """Every setting of the environment is documented, and every documented one exists."""
    document = root / "docs" / "settings.md"
    named = set(SETTING.findall(_read(document)))
    used: set[str] = set()
    for folder in ("src", "tools", "bench"):
        for path in _files(root / folder, "*.py", "*.sh"):
            if path.resolve() != pathlib.Path(__file__).resolve():
                used |= set(SETTING.findall(_read(path)))
    for path in (root / "Makefile", root / "tests" / "conftest.py"):
        used |= set(SETTING.findall(_read(path)))
    yield from (f"docs/settings.md: {name} is not documented" for name in sorted(used - named))
    yield from (f"docs/settings.md: {name} does not exist" for name in sorted(named - used))


def check_events(root: pathlib.Path) -> Iterator[str]:
    """Every event is in the table of events."""
    text = _read(root / "docs" / "events.md")
    named = set(WORD.findall(text))
    for path in sorted((root / "src" / "kameng").glob("*/events.py")):
        if path.parent.name == "core":
            continue
        for node in ast.parse(_read(path)).body:
            if isinstance(node, ast.ClassDef) and node.name not in named:
                yield f"docs/events.md: {path.parent.name}.{node.name} is not documented"


def check_glossary(root: pathlib.Path) -> Iterator[str]:
    """Every table is a word of the glossary."""
    named = set(WORD.findall(_read(root / "docs" / "glossary.md")))
    for path in _files(root / "src" / "kameng", "models.py", "models/*.py"):
        for node in ast.parse(_read(path)).body:
            if isinstance(node, ast.ClassDef) and _is_table(node) and node.name not in named:
                yield f"docs/glossary.md: the table {node.name} is not a word of the glossary"


def _is_table(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    fields = [each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    is_abstract = any("abstract = True" in ast.unparse(each) for each in node.body)
    return bool(fields) and any(base.endswith("Model") for base in bases) and not is_abstract


def _files(folder: pathlib.Path, *patterns: str) -> Iterator[pathlib.Path]:
    for pattern in patterns:
        for path in sorted(folder.rglob(pattern)):
            if not SKIPPED & set(path.parts):
                yield path


def _read(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
