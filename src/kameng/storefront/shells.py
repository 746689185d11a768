"""Pages that are the same for everybody, kept in the process with holes for what is one person's.

A page is rendered once without any request, so nothing personal can get in, and cut at its marks.
Serving it again is joining bytes: a product page costs microseconds instead of milliseconds.
Bounded by weight; aged pages are still served while one thread renders the next.
"""

import re
import secrets
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from kameng.catalog.caching import SnapshotCache

HOLES: Final = ("csrf_token", "theme", "person_tools", "unread_dot", "orders_url", "site_bar")
FRESH_SECONDS: Final = 30
WEIGHT_LIMIT: Final = 12_000_000  # bytes of pages in one process

# Unguessable, so that no text of a shop can pass for a mark.
_SECRET: Final = secrets.token_hex(8)
_MARKS: Final = re.compile(f"\ue000{_SECRET}:([a-z_]+)\ue001")


@dataclass(frozen=True, slots=True)
class Shell:
    """A page cut at its holes: texts and names in turn, beginning and ending with a text."""

    texts: tuple[bytes, ...]
    names: tuple[str, ...]

    @property
    def weight(self) -> int:
        """The bytes that it holds."""
        return sum(map(len, self.texts))

    def fill(self, values: Mapping[str, str]) -> bytes:
        """Return the page with the values (markup that is safe already) in its holes."""
        parts = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            parts.append(values[name].encode())
            parts.append(text)
        return b"".join(parts)


_shells: SnapshotCache[Hashable, Shell] = SnapshotCache(
    weight_limit=WEIGHT_LIMIT, fresh_seconds=FRESH_SECONDS, weigh=lambda shell: shell.weight
)


def get_shell(key: Hashable, *, template: str, build: Callable[[], Mapping[str, Any]]) -> Shell:
    """Return the page of `key`; `build` gives what the template needs when it must be rendered."""
    return _shells.get(key, lambda: cut(template, build()))


def cut(template: str, context: Mapping[str, Any]) -> Shell:
    """Render a template without a request and cut it at its holes."""
    html = render_to_string(template, {**context, **{name: _mark(name) for name in HOLES}})
    pieces = _MARKS.split(html)
    return Shell(
        texts=tuple(piece.encode() for piece in pieces[::2]),
        names=tuple(pieces[1::2]),
    )


def forget_shells() -> None:
    """Empty this process's pages (tests, and after a fork)."""
    _shells.clear()


def _mark(name: str) -> SafeString:
    return mark_safe(f"\ue000{_SECRET}:{name}\ue001")  # noqa: S308 - a constant
