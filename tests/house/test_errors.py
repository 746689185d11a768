"""Refusals that nobody raises are words for nobody: each class of an `errors.py` is used."""

import ast
import pathlib
from collections.abc import Iterator

import kameng

PACKAGE = pathlib.Path(kameng.__file__).parent


def _defined(path: pathlib.Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def _used(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yield (module of errors, class) for each class that a file imports, or takes from a module.

    A file that imports `errors` as a module takes what it names after the dot from that one; those
    that are built on a class, in its own file, use it too.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                if node.module.endswith(".errors"):
                    yield node.module, name.name
                elif name.name == "errors":
                    modules[name.asname or name.name] = f"{node.module}.errors"
        elif isinstance(node, ast.ClassDef) and path.name == "errors.py":
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield _module(path), base.id
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield modules.get(node.value.id, ""), node.attr


def _module(path: pathlib.Path) -> str:
    return ".".join(("kameng", *path.relative_to(PACKAGE).with_suffix("").parts))


def test_every_refusal_is_used_outside_of_where_it_is_defined() -> None:
    used = {pair for path in PACKAGE.rglob("*.py") for pair in _used(path)}
    idle = [
        f"{_module(path)}.{name}"
        for path in sorted(PACKAGE.rglob("errors.py"))
        for name in _defined(path)
        if (_module(path), name) not in used
    ]

    assert idle == []
