"""The contract as a client should read it: it believes the types, leaves the limits to the server and bears news."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from web.contract import document as contract

# A client that checked these would count characters and read patterns in its own language's way, not in the server's.
LIMITS = {"pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems"}


def document() -> dict[str, Any]:
    """The contract without what would make a client refuse a newer server's answer."""
    whole = copy.deepcopy(contract.document())
    whole["info"]["description"] = whole["info"]["description"].partition("\n\n")[0]
    components = whole["components"]
    lists = {f"#/components/schemas/{name}" for name, schema in components["schemas"].items() if "enum" in schema}
    for name, schema in components["schemas"].items():
        components["schemas"][name] = schema if "enum" in schema else _eased(schema, lists)
    for part in ("parameters", "headers"):
        components[part] = _eased(components[part], lists)
    for operation in operations(whole):
        operation["responses"] = dict(_responses(operation["responses"]))
    return whole


def operations(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in whole["paths"].values():
        yield from (item[method] for method in contract.METHODS if method in item)


def _eased(node: Any, lists: set[str]) -> Any:
    """The node without limits, closed objects and closed lists of values; a list with a name stays to compare with."""
    if isinstance(node, list):
        return [_eased(item, lists) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("$ref") in lists:
        name = node["$ref"].rpartition("/")[2]
        return {"type": "string", "description": f"One of `{name}`; a newer server may know more."}
    schema = isinstance(node.get("type"), str)
    return {key: _eased(value, lists) for key, value in node.items() if not (schema and _strict(key, value))}


def _strict(key: str, value: Any) -> bool:
    return key in LIMITS or key == "enum" or (key == "additionalProperties" and value is False)


def _responses(responses: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The successes, and one error for all: each status has the same envelope, and so will those to come."""
    for status, response in responses.items():
        if status < "4":
            yield status, _readable(response)
    schema = {"$ref": "#/components/schemas/ErrorEnvelope"}
    for family in ("4XX", "5XX"):
        yield family, {"description": "What went wrong.", "content": {"application/json": {"schema": schema}}}


def _readable(response: dict[str, Any]) -> dict[str, Any]:
    """No client parses YAML: where an answer is not JSON, it is text."""
    content = response.get("content", {})
    text = {
        media: body if media == "application/json" else {"schema": {"type": "string"}}
        for media, body in content.items()
    }
    return response | ({"content": text} if content else {})
