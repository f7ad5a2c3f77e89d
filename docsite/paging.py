"""Which operations of a contract give a page of a list, and in which field."""

from __future__ import annotations

from web.contract.reading import JSON, OperationObject

LIMIT, OFFSET = "limit", "offset"


def field_of(operation: OperationObject) -> str:
    """The field that has the items of a page, or nothing if the operation gives no page."""
    arrays = _arrays(operation) if _is_paged(operation) else []
    return arrays[0] if len(arrays) == 1 else ""


def _is_paged(operation: OperationObject) -> bool:
    return {LIMIT, OFFSET} <= set(operation.parameter_names("query"))


def _arrays(operation: OperationObject) -> list[str]:
    """The fields of the successful response that are arrays."""
    response = operation.by_status[operation.success] if operation.by_status else {}
    media = response.get("content", {}).get(JSON, {})
    properties = operation.follow(media.get("schema", {})).get("properties", {})
    return [name for name, schema in properties.items() if operation.follow(schema).get("type") == "array"]
