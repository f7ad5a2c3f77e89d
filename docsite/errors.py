"""Error reference: for each code its meaning, its remedy, and the operations that return it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

from docsite.operations import Operation


class Error(NamedTuple):
    code: str
    status: int
    title: str
    type: str
    message: str
    meaning: str
    remedy: str
    returned_by: str | list[Operation]
    """A sentence if it is all operations, else the list of operations."""
    example: Any


def errors(document: dict[str, Any], operations: list[Operation]) -> list[Error]:
    """All error codes of the contract, in its order."""
    schemas = document["components"]["schemas"]
    envelope = schemas.get("ErrorEnvelope", {}).get("example", {"success": False, "error": {}})
    return [_error(code, entry, operations, envelope) for code, entry in schemas["ErrorCode"]["x-errors"].items()]


def _error(code: str, entry: dict[str, Any], operations: list[Operation], envelope: dict[str, Any]) -> Error:
    examples = {o: e.value for o in operations for e in reversed(o.errors) if e.value["error"]["code"] == code}
    own = {"code": code} | {field: entry[field] for field in ("message", "type", "status")}
    made = envelope | {"error": envelope["error"] | own}
    return Error(
        code,
        entry["status"],
        f"{entry['status']} {HTTPStatus(entry['status']).phrase}",
        entry["type"],
        entry["message"],
        entry.get("description", "").strip(),
        entry.get("remedy", "").strip(),
        _in_words(list(examples), operations),
        next(iter(examples.values()), made),
    )


def _in_words(returning: list[Operation], operations: list[Operation]) -> str | list[Operation]:
    if returning == operations:
        return "Every operation."
    if returning == [operation for operation in operations if operation.secured]:
        return "Every operation that takes a credential."
    return returning
