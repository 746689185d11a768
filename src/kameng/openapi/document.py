"""The OpenAPI document of the JSON addresses, written from what the faces have described."""

from typing import Any

from kameng.web.api import PROBLEM, Operation, operations


def build_document() -> dict[str, Any]:
    """Return the document (OpenAPI 3.1)."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations.values():
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kameng", "version": "0.1.0", "license": {"name": "Apache-2.0"}},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {"Problem": PROBLEM}},
    }


def _describe(operation: Operation) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.description,
                "schema": parameter.schema,
            }
            for parameter in operation.parameters
        ],
        "responses": {
            "200": {
                "description": "OK",
                "content": {"application/json": {"schema": operation.answer}},
            },
            **{
                str(status): {"description": "refused", "content": problem}
                for status in operation.statuses
            },
        },
    }
    if operation.form is not None:
        content = {"application/x-www-form-urlencoded": {"schema": operation.form}}
        described["requestBody"] = {"required": True, "content": content}
    return described
