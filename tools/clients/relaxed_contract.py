"""Relaxed contract for client generators: types kept; limits, closed objects and closed enums dropped, so old clients
accept newer servers.

Decision 56.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from web.contract import document as contract

# Languages count characters and interpret patterns differently from the server, so clients must not check these.
LIMITS = {"pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems"}


def document() -> dict[str, Any]:
    """The contract without constraints that would make a client refuse a newer server's response."""
    relaxed = copy.deepcopy(contract.document())
    relaxed["info"]["description"] = relaxed["info"]["description"].partition("\n\n")[0]
    components = relaxed["components"]
    enums = {f"#/components/schemas/{name}" for name, schema in components["schemas"].items() if "enum" in schema}
    for name, schema in components["schemas"].items():
        components["schemas"][name] = schema if "enum" in schema else _relaxed(schema, enums)
    for part in ("parameters", "headers"):
        components[part] = _relaxed(components[part], enums)
    for operation in operations(relaxed):
        operation["responses"] = dict(_responses(operation["responses"]))
    return relaxed


def operations(relaxed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in relaxed["paths"].values():
        yield from (item[method] for method in contract.METHODS if method in item)


def _relaxed(node: Any, enums: set[str]) -> Any:
    """The node without limits, closed objects and enums; a reference to a named enum becomes a string."""
    if isinstance(node, list):
        return [_relaxed(item, enums) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("$ref") in enums:
        name = node["$ref"].rpartition("/")[2]
        return {"type": "string", "description": f"One of `{name}`; a newer server may know more."}
    schema = isinstance(node.get("type"), str)
    return {key: _relaxed(value, enums) for key, value in node.items() if not (schema and _is_limit(key, value))}


def _is_limit(key: str, value: Any) -> bool:
    return key in LIMITS or key == "enum" or (key == "additionalProperties" and value is False)


def _responses(responses: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The success responses, and one response each for 4XX and 5XX: all errors have the same envelope."""
    for status, response in responses.items():
        if status < "4":
            yield status, _readable(response)
    schema = {"$ref": "#/components/schemas/ErrorEnvelope"}
    for family in ("4XX", "5XX"):
        yield family, {"description": "What went wrong.", "content": {"application/json": {"schema": schema}}}


def _readable(response: dict[str, Any]) -> dict[str, Any]:
    """The response with a string schema for every media type except JSON: no client parses YAML."""
    content = response.get("content", {})
    text = {
        media: body if media == "application/json" else {"schema": {"type": "string"}}
        for media, body in content.items()
    }
    return response | ({"content": text} if content else {})
