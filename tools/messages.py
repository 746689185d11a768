"""The catalogue of translations: Chinese in the source, English in one file, no system tools.

`extract` counts what the source says, `update` writes new messages into the English catalogue,
`compile` makes what Django reads, `check` fails when a message has no good English, or when a
Chinese sentence in the source is not marked for translation. Run as `tools/messages.py <verb>`.
"""

import argparse
import ast
import io
import pathlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from babel.messages import pofile
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from django.template.base import Lexer, TokenType
from django.utils.translation.template import templatize

ROOT = pathlib.Path(__file__).resolve().parents[1]
HAN = re.compile(r"[\u3400-\u9fff]")
PLACE = re.compile(r"%\((\w+)\)[sd]|(?<!%)%([sd])|\{(\w*)\}")
HEADER_NOISE = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Project-Id-Version'
    r"|Report-Msgid-Bugs-To|Language-Team): .*\n",
    re.M,
)
KEYWORDS = {
    *("_", "_now", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"),
    *("pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"),
}

# Chinese that is data, not a sentence for a person: nothing here is shown as it stands.
DATA = {
    "catalog/adopting.py": "words in lists of goods, and what a buyer is asked for",
    "catalog/parsing/": "headings and words of files that shop owners keep",
    "catalog/refused_words.py": "words that may not be sold, as people type them",
    "catalog/search.py": "synonyms and words that people type",
    "catalog/synonyms.py": "synonyms and words that people type",
    "inventory/parsing": "labels in files of keys",
    "core/tabular.py": "signs in files of tables",
    "core/problems.py": "the marker itself",
    "reconciliation/reading.py": "headings and words of bills",
    "reconciliation/reading_accounts.py": "headings and words of files of an account",
    "config/demo": "texts of the demo shop",
    "web/covers.py": "words by which a name of goods gets its drawing",
    "payments/providers/alipay/wire.py": "words of the gateway",
    "payments/providers/alipay/bills.py": "headings and words of the gateway's bills",
    "settlement/bank_words.py": "headings and words of files that banks make",
    "payments/providers/epay/wire.py": "words of the gateway",
    "payments/providers/wechat/bills.py": "headings of the gateway's bills",
    "payments/providers/wechat/transfers.py": "what the gateway wants to be told of a transfer",
    "payments/providers/epay2/wire.py": "words of the gateway",
    "payments/providers/unionpay/certificates.py": "the name in UnionPay's certificate",
    "payments/providers/credentials.py": "placeholders that people paste as keys",
}
# Names that stay Chinese in English too.
NAMES = ("简体中文", "中文", "卡盟", "卡蒙")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message as the source says it; `plural` and `context` when it has them."""

    text: str
    plural: str | None
    context: str | None
    path: str


def extract(package: pathlib.Path) -> Iterator[Entry]:
    """Yield each marked message of the Python files and the templates of a package."""
    for path in _sources(package, "*.py"):
        yield from _extract_python(path.read_bytes(), path=_name(path, package))
    for path in _templates(package):
        code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        yield from _extract_python(code.encode(), path=_name(path, package))


def make_catalogue(package: pathlib.Path) -> Catalog:
    """Return the messages of a package as an English catalogue without translations."""
    catalogue = Catalog(
        locale="en",
        project="Kameng",
        charset="utf-8",
        header_comment="# English texts of Kameng. Written by tools/messages.py; translate here.",
        fuzzy=False,
    )
    for entry in extract(package):
        catalogue.add(
            (entry.text, entry.plural) if entry.plural else entry.text,
            locations=[(entry.path, 0)],
            context=entry.context,
        )
    return catalogue


def read_catalogue(package: pathlib.Path) -> Catalog:
    """Return the English catalogue as it lies in the repository, empty when there is none."""
    path = catalogue_path(package)
    if not path.is_file():
        return Catalog(locale="en")
    with path.open("rb") as file:
        return pofile.read_po(file, locale="en")


def catalogue_path(package: pathlib.Path) -> pathlib.Path:
    """Return where the English catalogue of a package lies."""
    return package / "locale" / "en" / "LC_MESSAGES" / "django.po"


def update(package: pathlib.Path) -> int:
    """Write new messages into the catalogue and drop those that are gone; translations stay."""
    catalogue = make_catalogue(package)
    known = read_catalogue(package)
    for message in _messages(catalogue):
        old = known.get(message.id, context=message.context)
        if old is not None and not old.fuzzy:
            message.string = old.string
    write_catalogue(catalogue, package=package)
    missing = sum(not _is_translated(message) for message in _messages(catalogue))
    print(f"{len(catalogue)} messages, {missing} without English")
    return 0


def write_catalogue(catalogue: Catalog, *, package: pathlib.Path) -> None:
    """Write a catalogue sorted and without dates and line numbers, so that differences are real."""
    buffer = io.BytesIO()
    pofile.write_po(buffer, catalogue, width=100, sort_output=True, include_lineno=False)
    path = catalogue_path(package)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER_NOISE.sub("", buffer.getvalue().decode()), encoding="utf-8")


def compile_catalogue(package: pathlib.Path) -> int:
    """Write beside the catalogue the binary form that Django reads."""
    target = catalogue_path(package).with_suffix(".mo")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with partial.open("wb") as file:
        write_mo(file, read_catalogue(package))
    partial.replace(target)
    return 0


def check(package: pathlib.Path) -> int:
    """Print what is missing or wrong; return 1 when anything is."""
    found = [*list_flaws(package), *list_unmarked(package)]
    print("\n".join(found) or "messages: complete")
    return int(bool(found))


def list_flaws(package: pathlib.Path) -> Iterator[str]:
    """Yield each message without good English, and each one the source no longer says."""
    known, said = read_catalogue(package), make_catalogue(package)
    for message in _messages(said):
        old = known.get(message.id, context=message.context)
        where = message.locations[0][0] if message.locations else ""
        if old is None or not _is_translated(old) or old.fuzzy:
            yield f"{where}: no English for {_first(message)!r}"
            continue
        yield from (f"{where}: {flaw} {_first(message)!r}" for flaw in _flaws_of(old))
    for message in _messages(known):
        if said.get(message.id, context=message.context) is None:
            yield f"django.po: no longer in the source: {_first(message)!r}"


def list_unmarked(package: pathlib.Path) -> Iterator[str]:
    """Yield each Chinese text in the source that a translator would never see."""
    for path in _sources(package, "*.py"):
        name = _name(path, package)
        if not name.startswith(tuple(DATA)):
            for line, text in _unmarked_in_python(path.read_text(encoding="utf-8")):
                yield f"{name}:{line}: not marked for translation: {text!r}"
    for path in _templates(package):
        for line, text in _unmarked_in_template(path.read_text(encoding="utf-8")):
            yield f"{_name(path, package)}:{line}: not marked for translation: {text!r}"


def _extract_python(code: bytes, *, path: str) -> Iterator[Entry]:
    for _, function, texts, _ in extract_python(io.BytesIO(code), list(KEYWORDS), [], {}):
        values = list(texts) if isinstance(texts, tuple | list) else [texts]
        name = function or "gettext"
        context = str(values.pop(0)) if "pgettext" in name else None
        if not values or not values[0]:
            continue
        plural = str(values[1]) if name.startswith("n") and len(values) > 1 else None
        yield Entry(text=str(values[0]), plural=plural, context=context, path=path)


def _unmarked_in_python(text: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(text)
    seen: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            seen |= {id(each.value) for each in node.body if isinstance(each, ast.Expr)}
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in KEYWORDS:
            seen |= {id(inner) for argument in node.args for inner in ast.walk(argument)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in seen and HAN.search(_without_names(node.value)):
            yield node.lineno, node.value[:40]


def _unmarked_in_template(text: str) -> Iterator[tuple[int, str]]:
    is_skipped = False
    for token in Lexer(text).tokenize():
        if token.token_type == TokenType.BLOCK:
            tag = token.contents.split()[0]
            if tag in {"blocktranslate", "blocktrans", "comment"}:
                is_skipped = True
            elif tag in {"endblocktranslate", "endblocktrans", "endcomment"}:
                is_skipped = False
        is_text = token.token_type == TokenType.TEXT
        if is_text and not is_skipped and HAN.search(_without_names(token.contents)):
            yield token.lineno or 0, " ".join(token.contents.split())[:60]


def _flaws_of(message: Message) -> Iterator[str]:
    texts = [message.id] if isinstance(message.id, str) else list(message.id)
    strings = [message.string] if isinstance(message.string, str) else list(message.string)
    places = [_places(text) for text in texts]
    for number, string in enumerate(strings):
        expected = places[min(number, len(places) - 1)]
        # The singular may say "one" where the source counts.
        is_singular = len(texts) > 1 and number == 0
        actual = _places(string)
        if actual != expected and not (is_singular and set(actual) < set(expected)):
            yield f"places differ ({', '.join(expected)} / {', '.join(actual)}) in"
        if HAN.search(_without_names(string)):
            yield "Chinese is left in the English of"
        if string.startswith(" ") != texts[0].startswith(" ") or string.endswith("\n") != texts[
            0
        ].endswith("\n"):
            yield "the edges differ in"


def _places(text: str) -> list[str]:
    return sorted(match.group(0) for match in PLACE.finditer(text))


def _without_names(text: str) -> str:
    for name in NAMES:
        text = text.replace(name, "")
    return text


def _is_translated(message: Message) -> bool:
    strings = [message.string] if isinstance(message.id, str) else list(message.string or ())
    return bool(strings) and all(strings)


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _sources(package: pathlib.Path, pattern: str) -> Iterator[pathlib.Path]:
    for path in sorted(package.rglob(pattern)):
        if not {"migrations", "node_modules", "static"} & set(path.parts):
            yield path


def _templates(package: pathlib.Path) -> Iterator[pathlib.Path]:
    for pattern in ("*.html", "*.txt", "*.xml"):
        for path in _sources(package, pattern):
            if {"templates", "sections"} & set(path.parts):  # a section keeps its own beside it
                yield path


def _name(path: pathlib.Path, package: pathlib.Path) -> str:
    return path.relative_to(package).as_posix()


def count_messages(package: pathlib.Path) -> int:
    """Print how many messages the source says, by folder."""
    counts: dict[str, int] = {}
    for entry in extract(package):
        app = entry.path.split("/", maxsplit=1)[0]
        counts[app] = counts.get(app, 0) + 1
    for app, count in sorted(counts.items()):
        print(f"{count:6d} {app}")
    return 0


VERBS: dict[str, Callable[[pathlib.Path], int]] = {
    "extract": count_messages,
    "update": update,
    "compile": compile_catalogue,
    "check": check,
}


def main() -> int:
    """Run the verb of the command line on the package of this repository."""
    parser = argparse.ArgumentParser(description="Keep the English catalogue of Kameng.")
    parser.add_argument("verb", choices=sorted(VERBS))
    return VERBS[parser.parse_args().verb](ROOT / "src" / "kameng")


if __name__ == "__main__":
    sys.exit(main())
