"""House rules that no off-the-shelf linter can state, each with its code.

Run from the root of the repository: `python -m tools.house_check`. A rule is a function from a
parsed file to breaches; tests/house breaks each of them on purpose. Imports that point upwards are
import-linter's business, SQL files tools/sql_check.py's, documents tools/docs_check.py's.
"""

import ast
import pathlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools import docs_check, sql_check
from tools.layers import ROOT, read_heights

PACKAGE = "kameng"
PRIVATE = {"store", "sql", "handlers", "tasks", "rules"}
READS_EVERYTHING = {"insight", "config"}
INTERFACES = {"storefront", "console", "openapi", "web", "config"}
WEB = ("django.http", "django.shortcuts", "django.urls", "django.views", "django.template")
WEB_ALLOWED = {"tenancy/middleware.py", "messaging/rendering.py"}
# Draws the sections of pages for the faces above it: addresses and templates, never requests.
DRAWS = ("pages/", ("django.urls", "django.template"))
QUERY_CALLS = {"execute", "executemany", "copy", "raw", "cursor"}
QUERY_MODULES = {"kameng.core.database"}
QUERY_NAMES = {"fetch", "fetch_one"}
QUERY_APPS = {"core", "config"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "lib"}
UNFINISHED = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
NAMED_CALLS = {"pricing"}
NAMED_MODULES = {"services", "selectors", "rules"}
MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 600
MAX_PARAMETERS = 5

# Where a fraction is not money: seconds, geometry, ranking. Anywhere else it fails the build.
FLOAT_ALLOWED = {
    "pages/colours.py": "lightness, chroma and contrast of colours",
    "pages/advice.py": "contrast of colours",
    "pages/services/picturing.py": "how far a picture is shrunk",
    "pages/looks.py": "lightness, chroma and contrast of colours",
    "config/": "seconds and tuning of processes",
    "core/http.py": "seconds until a call is given up",
    "core/names.py": "seconds until a question is given up",
    "core/lanes.py": "seconds that a batch lingers or hangs",
    "core/events.py": "seconds that a consumer lags behind",
    "core/keyring.py": "seconds until the key file is looked at again",
    "core/database.py": "seconds between attempts",
    "core/jobs.py": "seconds between attempts",
    "payments/providers/calling.py": "seconds until a call is given up",
    "tenancy/selectors.py": "monotonic seconds of a cache",
    "catalog/search.py": "scores of a ranking",
    "catalog/parsing/": "confidence of a guess",
    "insight/health.py": "seconds that a consumer lags behind",
    "web/covers.py": "geometry of a drawing",
    "web/metrics.py": "seconds of a request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One parsed file of the package."""

    relative: str
    app: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The name inside the app: services, rules, store and so on."""
        parts = self.relative.removesuffix(".py").split("/")
        return parts[1] if len(parts) > 1 else parts[0]


Breach = tuple[int, str]
Rule = Callable[[Source], Iterator[Breach]]


def check_private_modules(source: Source) -> Iterator[Breach]:
    """PRIVATE modules of an app are reached by that app alone."""
    if source.app in READS_EVERYTHING:
        return
    for line, owner, inside, names in _foreign_imports(source):
        reached = ({inside[0]} if inside else set(names.values())) & PRIVATE
        if reached:
            yield line, f"reaches into {owner}.{'/'.join(sorted(reached))}"


def check_foreign_managers(source: Source) -> Iterator[Breach]:
    """No app queries another app's table through its manager: it asks the owner."""
    if source.app in READS_EVERYTHING:
        return
    foreign = {
        name
        for _, _, inside, names in _foreign_imports(source)
        if inside[:1] == ["models"]
        for name in names
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "unscoped"}:
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in foreign:
                yield node.lineno, f"queries {owner.id}; ask its owner's selectors or services"


def check_tables_by_their_app(source: Source) -> Iterator[Breach]:
    """Where an app has many tables, which file they stand in is its own affair."""
    for line, owner, inside, _ in _foreign_imports(source):
        if inside[:1] == ["models"] and len(inside) > 1:
            yield line, f"reaches into {owner}.models.{inside[1]}; import from {owner}.models"


def check_no_http_in_domain(source: Source) -> Iterator[Breach]:
    """The domain below the faces knows nothing of HTTP or templates."""
    if source.app in INTERFACES or source.relative in WEB_ALLOWED:
        return
    for line, module, _ in _imports(source.tree):
        is_drawing = source.relative.startswith(DRAWS[0]) and module.startswith(DRAWS[1])
        if module.startswith(WEB) and not is_drawing:
            yield line, f"the domain imports {module}"


def check_views_ask(source: Source) -> Iterator[Breach]:
    """Views call services and selectors; they never touch a manager or a transaction."""
    if source.app not in {"storefront", "console", "openapi"}:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "unscoped"}:
            yield node.lineno, "a face has no tables; call a selector or a service"


def check_raw_sql(source: Source) -> Iterator[Breach]:
    """Hand-written SQL lives in store.py, where its plan and its locks are told."""
    if source.app in QUERY_APPS or source.module == "store":
        return
    for line, module, names in _imports(source.tree):
        if module in QUERY_MODULES and set(names.values()) & QUERY_NAMES:
            yield line, "SQL outside store.py"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            is_cursor = re.search(r"\b(cursor|connections?)\b", owner) or node.func.attr == "raw"
            if node.func.attr in QUERY_CALLS and is_cursor:
                yield node.lineno, f"SQL outside store.py: {owner}.{node.func.attr}()"


def check_locks_are_named(source: Source) -> Iterator[Breach]:
    """A row lock is taken by the owner's `lock_…` function only."""
    for function in _functions(source.tree):
        if function.name.lstrip("_").startswith("lock_"):
            continue
        for node in _own_nodes(function):
            if isinstance(node, ast.Attribute) and node.attr == "select_for_update":
                yield node.lineno, "select_for_update outside a lock_… function"


def check_bare_saves(source: Source) -> Iterator[Breach]:
    """A row is written by create, by a guarded update, or by save(update_fields=…)."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "save" and source.module == "models":
            yield node.lineno, "a model overrides save()"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "save"
            and not node.args
            and not {"update_fields", "force_insert"} & {each.arg for each in node.keywords}
        ):
            yield node.lineno, "bare save(): name the update_fields"


def check_no_fractions(source: Source) -> Iterator[Breach]:
    """Money never meets a float or a Decimal; where a fraction is something else is listed."""
    if source.relative.startswith(tuple(FLOAT_ALLOWED)):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield node.lineno, f"a fraction: {node.value}"
        if isinstance(node, ast.Name) and node.id in {"float", "Decimal"}:
            yield node.lineno, f"a fraction: {node.id}"
        if isinstance(node, ast.Attribute) and node.attr in {
            "Decimal",
            "DecimalField",
            "FloatField",
        }:
            yield node.lineno, f"a fraction: {node.attr}"
        is_money = source.app in {"pricing", "ledger"}
        if (
            is_money
            and isinstance(node, ast.BinOp | ast.AugAssign)
            and isinstance(node.op, ast.Div)
        ):
            yield node.lineno, "a fraction: / in arithmetic of money"


def check_sizes(source: Source) -> Iterator[Breach]:
    """Functions and modules stay readable in one go."""
    count = source.text.count("\n") + 1
    if count > MAX_MODULE_LINES + 1:
        yield 1, f"module of {count - 1} lines (at most {MAX_MODULE_LINES})"
    for function in _functions(source.tree):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield function.lineno, f"{function.name}: {lines} lines (at most {MAX_FUNCTION_LINES})"


def check_parameters(source: Source) -> Iterator[Breach]:
    """At most five parameters; what a business verb takes beyond the first is named."""
    for function in _functions(source.tree):
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        if positional and positional[0].arg in {"self", "cls"}:
            positional = positional[1:]
        count = len(positional) + len(arguments.kwonlyargs)
        if count > MAX_PARAMETERS:
            yield function.lineno, f"{function.name}: {count} parameters (at most {MAX_PARAMETERS})"
        is_verb = source.app in NAMED_CALLS or source.module in NAMED_MODULES
        if is_verb and not function.name.startswith("_") and len(positional) > 1:
            yield function.lineno, f"{function.name}: keyword-only beyond the first parameter"


def check_names(source: Source) -> Iterator[Breach]:
    """A module is named after what it owns."""
    vague = VAGUE & set(source.relative.removesuffix(".py").split("/"))
    if vague:
        yield 1, f"a module named {sorted(vague)[0]} owns nothing"


def check_finished(source: Source) -> Iterator[Breach]:
    """Nothing is left for later inside the code."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if UNFINISHED.search(line):
            yield number, "unfinished work belongs to an issue"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node):
            yield node.lineno, "a stub"


def check_docstring(source: Source) -> Iterator[Breach]:
    """Each app says what it owns and promises."""
    if source.relative.endswith("/__init__.py") and source.relative.count("/") == 1:
        text = ast.get_docstring(source.tree) or ""
        if len(text.split()) < 5:
            yield 1, "the app does not say what it owns and promises"


RULES: tuple[Rule, ...] = (
    check_private_modules,
    check_foreign_managers,
    check_tables_by_their_app,
    check_no_http_in_domain,
    check_views_ask,
    check_raw_sql,
    check_locks_are_named,
    check_bare_saves,
    check_no_fractions,
    check_sizes,
    check_parameters,
    check_names,
    check_finished,
    check_docstring,
)


def read_sources(package: pathlib.Path) -> Iterator[Source]:
    """Yield each file of the package that people write; migrations are written by a machine."""
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if "migrations" in relative.parts or "node_modules" in relative.parts:
            continue
        text = path.read_text(encoding="utf-8")
        yield Source(
            relative=relative.as_posix(),
            app=relative.parts[0].removesuffix(".py"),
            text=text,
            tree=ast.parse(text),
        )


def list_breaches(package: pathlib.Path) -> Iterator[str]:
    """Yield `file:line: what is wrong` for each breach of a rule on Python files."""
    for source in read_sources(package):
        for rule in RULES:
            for line, what in rule(source):
                yield f"{source.relative}:{line}: {what}"


def list_missing_apps(package: pathlib.Path) -> Iterator[str]:
    """Yield each app of the written order that has no package with a docstring file."""
    for app in read_heights():
        if not (package / app / "__init__.py").is_file():
            yield f"{app}: stands in the order of the apps and has no __init__.py"


def main() -> int:
    """Check the repository; return 1 when a rule is broken."""
    package = ROOT / "src" / PACKAGE
    found = [
        *list_breaches(package),
        *list_missing_apps(package),
        *sql_check.list_breaches(package),
        *docs_check.list_breaches(ROOT),
    ]
    print("\n".join(found) or "house rules: kept")
    return int(bool(found))


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, dict[str, str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield (
                node.lineno,
                node.module,
                {each.asname or each.name: each.name for each in node.names},
            )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, {}


def _foreign_imports(source: Source) -> Iterator[tuple[int, str, list[str], dict[str, str]]]:
    for line, module, names in _imports(source.tree):
        parts = module.split(".")
        if parts[0] != PACKAGE:
            continue
        if len(parts) == 1:
            continue
        if parts[1] not in (source.app, "core", "pricing"):
            yield line, parts[1], parts[2:], names


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _own_nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    for statement in function.body:
        yield from ast.walk(statement)


if __name__ == "__main__":
    sys.exit(main())
