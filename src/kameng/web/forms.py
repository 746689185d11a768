"""Strict reading of what people and programs send outside a form class.

ASCII digits only, bounds always, unknown choices refused. `read_…` raises `ValueMalformed` (a 400
that names the field); `find_…` gives the default instead, for query strings that were edited.
"""

import json
import re
import unicodedata
from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from django.http.request import RawPostDataException

from kameng.web.errors import BodyMalformed, ValueMalformed

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
JSON_MAX = 65_536
JSON_DEPTH = 12


def parse_whole(text: str, *, low: int, high: int) -> int | None:
    """Return the whole number in ASCII digits within bounds, or None."""
    if WHOLE.fullmatch(text) is None:
        return None
    number = int(text)
    return number if low <= number <= high else None


def read_whole(request: HttpRequest, name: str, *, low: int, high: int) -> int:
    """Return a whole number of the posted form; raise `ValueMalformed`."""
    number = parse_whole(request.POST.get(name, "").strip(), low=low, high=high)
    if number is None:
        raise ValueMalformed(name=name)
    return number


def find_whole(request: HttpRequest, name: str, *, low: int = 1, high: int = 2**62) -> int | None:
    """Return a whole number of the query string, or None when it is none."""
    return parse_whole(request.GET.get(name, ""), low=low, high=high)


def read_choice(request: HttpRequest, name: str, *, choices: Collection[str]) -> str:
    """Return one of the choices from the posted form; raise `ValueMalformed`."""
    text = request.POST.get(name, "")
    if text not in choices:
        raise ValueMalformed(name=name)
    return text


def find_choice(request: HttpRequest, name: str, *, choices: Collection[str], default: str) -> str:
    """Return one of the choices from the query string, or the default."""
    text = request.GET.get(name, "")
    return text if text in choices else default


def clean_text(text: str, *, limit: int, is_multiline: bool = False) -> str | None:
    """Return a trimmed text without control characters, or None when it is too long or has some."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > limit:
        return None
    allowed = "\n\t" if is_multiline else ""
    for sign in text:
        if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in allowed:
            return None
    return text


def read_text(request: HttpRequest, name: str, *, limit: int, is_multiline: bool = False) -> str:
    """Return a text of the posted form (may be empty); raise `ValueMalformed`."""
    text = clean_text(request.POST.get(name, ""), limit=limit, is_multiline=is_multiline)
    if text is None:
        raise ValueMalformed(name=name)
    return text


def find_text(request: HttpRequest, name: str, *, limit: int) -> str:
    """Return a text of the query string, cut at the limit; empty when it has control characters."""
    return clean_text(request.GET.get(name, "")[:limit], limit=limit) or ""


def read_json(request: HttpRequest, *, limit: int = JSON_MAX) -> dict[str, Any]:
    """Return the JSON object in the body; raise `BodyMalformed` for anything else.

    Refuses more than `limit` bytes (64 KiB unless told otherwise), deep nesting, doubled names,
    NaN, numbers beyond every bound (1e999), NUL and lone surrogates.
    """
    try:
        body = request.body
    except RawPostDataException:  # it was sent as a form with files, and read as one
        raise BodyMalformed from None
    if len(body) > limit:
        raise BodyMalformed
    try:
        text = body.decode("utf-8")
        if "\\u0000" in text or "\x00" in text:
            raise BodyMalformed
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise BodyMalformed from None
    if not isinstance(value, dict) or _depth(value) > JSON_DEPTH:
        raise BodyMalformed
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
