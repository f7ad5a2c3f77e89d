"""Which operations of a contract give a page of a list, and in which field: a generator is told, and does not guess."""

from __future__ import annotations

from typing import Any

from web.contract.reading import JSON, OperationObject, operations

LIMIT, OFFSET = "limit", "offset"


def fields(document: dict[str, Any]) -> dict[str, str]:
    """The field that has the items, by operationId, for each operation that takes a limit and an offset."""
    found = {operation.id: field_of(operation) for operation in operations(document)}
    return {name: field for name, field in found.items() if field}


def field_of(operation: OperationObject) -> str:
    """The field that has the items of a page, or nothing if the operation gives no page."""
    arrays = _arrays(operation) if _is_paged(operation) else []
    return arrays[0] if len(arrays) == 1 else ""


def describe(document: dict[str, Any]) -> None:
    """Writes into the operations of a document how Redocly's generator pages their lists."""
    known = fields(document)
    for operation in operations(document):
        if operation.id in known:
            items = f"/{known[operation.id]}"
            rule = {"style": "offset", "offsetParam": OFFSET, "limitParam": LIMIT, "items": items}
            operation.node["x-redoclyPagination"] = rule


def _is_paged(operation: OperationObject) -> bool:
    return {LIMIT, OFFSET} <= set(operation.parameter_names("query"))


def _arrays(operation: OperationObject) -> list[str]:
    """The fields of the successful response that are arrays."""
    response = operation.by_status[operation.success] if operation.by_status else {}
    media = response.get("content", {}).get(JSON, {})
    properties = operation.follow(media.get("schema", {})).get("properties", {})
    return [name for name, schema in properties.items() if operation.follow(schema).get("type") == "array"]
