"""Strict reading of what gateways send: form fields, JSON replies, numbers of payments.

Pure. Promises that a thing that two programs could read differently is refused: doubled fields,
arrays, broken escapes, separators inside signed values, NaN, too deep or too large.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from kameng.payments.providers.port import CallbackRejected, CallbackRequest
from kameng.pricing.money import Amount, parse_fen_yuan

MAX_CALLBACK_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 64

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FIELD_NAME = re.compile(rb"[A-Za-z0-9_]{1,64}")
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_callback_fields(callback: CallbackRequest) -> dict[str, bytes]:
    """Return the fields of a callback as raw bytes; raise CallbackRejected on anything odd."""
    if callback.query and callback.body:
        raise CallbackRejected("two_sources")
    raw = callback.query or callback.body
    if len(raw) > MAX_CALLBACK_BYTES:
        raise CallbackRejected("too_large")
    if not raw:
        raise CallbackRejected("empty")
    fields: dict[str, bytes] = {}
    for pair in raw.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if not equals or not _FIELD_NAME.fullmatch(name):
            raise CallbackRejected("malformed")
        if name.decode() in fields:
            raise CallbackRejected("duplicate_field")
        if len(fields) >= MAX_FIELDS:
            raise CallbackRejected("too_many_fields")
        fields[name.decode()] = _unescape(value)
    return fields


def _unescape(value: bytes) -> bytes:
    if _BROKEN_ESCAPE.search(value):
        raise CallbackRejected("malformed")
    plain = unquote_to_bytes(value.replace(b"+", b" "))
    # Values are signed raw, joined by "&": one that holds a separator could be cut in two ways.
    if b"&" in plain or b"\0" in plain:
        raise CallbackRejected("ambiguous_value")
    return plain


def require_text(fields: Mapping[str, bytes], name: str) -> str:
    """Return a field that must be there, as ASCII text; raise CallbackRejected."""
    value = fields.get(name, b"")
    if not value:
        raise CallbackRejected(f"missing_{name}")
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise CallbackRejected(f"bad_{name}") from None


def require_number(fields: Mapping[str, bytes], name: str) -> str:
    """Return a payment number or external number; raise CallbackRejected when it is none."""
    text = require_text(fields, name)
    if not is_number(text):
        raise CallbackRejected(f"bad_{name}")
    return text


def require_amount(fields: Mapping[str, bytes], name: str) -> Amount:
    """Return a positive amount with at most two decimals; raise CallbackRejected."""
    try:
        amount = parse_fen_yuan(require_text(fields, name))
    except ValueError:
        raise CallbackRejected("bad_amount") from None
    if amount <= 0:
        raise CallbackRejected("bad_amount")
    return amount


def is_number(text: str) -> bool:
    """Say whether a text can be a payment number: 1 to 64 of A-Z a-z 0-9 _ -."""
    return _NUMBER.fullmatch(text) is not None


def digest_callback(callback: CallbackRequest) -> str:
    """Return the SHA-256 of what the callback said, in hex."""
    return hashlib.sha256(callback.query + b"\n" + callback.body).hexdigest()


def digest_reply(body: bytes) -> str:
    """Return the SHA-256 of a reply, in hex."""
    return hashlib.sha256(body).hexdigest()


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


# Numbers stay text, so that 1e3 or 0.30000000000000004 never becomes money by way of a float.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)


def read_json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object whose numbers stay text; raise ValueError on anything else.

    A JSON string that holds the object is opened too: some gateways encode twice.
    """
    try:
        found = _DECODER.decode(body.decode("utf-8-sig").strip())
        if isinstance(found, str):
            found = _DECODER.decode(found)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def read_json_spans(text: str) -> dict[str, tuple[Any, str]]:
    """Read a JSON object; give each member its value and its exact source text.

    Signatures are over the source text. Raise ValueError on a doubled member or a trailing rest.
    """
    members: dict[str, tuple[Any, str]] = {}
    position = _expect(text, 0, "{")
    while True:
        _expect(text, position, '"')
        name, position = _decode_at(text, position)
        if name in members:
            raise ValueError("doubled member")
        start = _skip_space(text, _expect(text, position, ":"))
        value, position = _decode_at(text, start)
        members[name] = (value, text[start:position])
        position = _skip_space(text, position)
        if text[position : position + 1] != ",":
            break
        position += 1
    if _skip_space(text, _expect(text, position, "}")) != len(text):
        raise ValueError("trailing text")
    return members


def _decode_at(text: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, _skip_space(text, position))
    except RecursionError:
        raise ValueError("too deep") from None


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _expect(text: str, position: int, sign: str) -> int:
    position = _skip_space(text, position)
    if text[position : position + 1] != sign:
        raise ValueError(f"no {sign}")
    return position + 1


def bound_text(value: object, *, limit: int = 200) -> str:
    """Return a gateway's own words on one line, cut to a bound."""
    return " ".join(str(value if value is not None else "").split())[:limit]


def clean_subject(text: str, *, byte_limit: int) -> str:
    """Return a subject without the signs that gateways refuse, cut at a whole character."""
    swapped = text.translate(_SUBJECT_SIGNS)
    plain = " ".join("".join(c if c.isprintable() else " " for c in swapped).split())
    return plain.encode()[:byte_limit].decode(errors="ignore").strip() or "Order"


_SUBJECT_SIGNS = str.maketrans(
    {"&": "＆", "=": "＝", "/": "／", "+": "＋", "%": "％", "#": "＃", "?": "？", "<": "＜"}
    | {">": "＞", '"': "＂", "'": "＇", "\\": "＼", "\0": " "}
)
