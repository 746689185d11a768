"""The list of JSON addresses, from which /openapi.json is written.

A face describes each JSON view where it maps it; a test asks every described address with what its
schema allows and forbids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.http import JsonResponse

Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
PROBLEM: Schema = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": TEXT,
        "message": TEXT,
        "reference": TEXT,
        "retry_after_seconds": WHOLE,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the path or of the query string."""

    name: str
    place: Literal["path", "query"]
    schema: Schema
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One JSON address: method and path as OpenAPI writes them, `/order/{order_no}/state`."""

    path: str
    method: Literal["get", "post"]
    summary: str
    parameters: tuple[Parameter, ...] = ()
    form: Schema | None = None  # of an urlencoded body
    answer: Schema = field(default_factory=lambda: {"type": "object"})
    statuses: tuple[int, ...] = (400, 404, 429)


operations: dict[tuple[str, str], Operation] = {}


def describe(operation: Operation) -> None:
    """Put an address on the list; call where the face maps its addresses."""
    operations[operation.path, operation.method] = operation


def answer_json(value: Mapping[str, Any], *, status: int = 200) -> JsonResponse:
    """Return a JSON answer with Chinese as it is written."""
    return JsonResponse(value, status=status, json_dumps_params={"ensure_ascii": False})
