"""The service's contract, reduced to what the workloads need."""

from __future__ import annotations

from typing import Any

OPERATIONS = frozenset(
    (
        "list_collections", "create_collection", "get_collection", "update_collection", "list_collection_tracks",
        "reorder_collection",
    )
)  # fmt: skip
JSON = "application/json"


def of_workloads(document: dict[str, Any]) -> dict[str, Any]:
    """The contract with the operations of the workloads and the API key only."""
    items = {path: _kept(item) for path, item in document["paths"].items()}
    key = {"ApiKeyAuth": document["components"]["securitySchemes"]["ApiKeyAuth"]}
    return document | {
        "paths": {path: item for path, item in items.items() if item.keys() - {"parameters"}},
        "security": [{"ApiKeyAuth": []}],
        "components": document["components"] | {"securitySchemes": key},
    }


def of_successes(document: dict[str, Any]) -> dict[str, Any]:
    """The same with the bodies of successes only: the peers send no headers of ours, and their own errors.

    A request body has one media type, so that a generator makes one type of it.
    """
    reduced = of_workloads(document)
    paths = {path: {name: _success(node) for name, node in item.items()} for path, item in reduced["paths"].items()}
    components = {
        name: reduced["components"][name] for name in ("schemas", "parameters", "examples", "securitySchemes")
    }
    return reduced | {"paths": paths, "components": components}


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in item.items() if not isinstance(v, dict) or v.get("operationId") in OPERATIONS}


def _success(node: Any) -> Any:
    """A path item's operation without errors, headers, links and examples; another field as it is."""
    if not isinstance(node, dict):
        return node
    answers = {status: _body(answer) for status, answer in node["responses"].items() if status.startswith("2")}
    sent = {"requestBody": _body(node["requestBody"])} if "requestBody" in node else {}
    return node | sent | {"responses": answers}


def _body(node: dict[str, Any]) -> dict[str, Any]:
    kept = {name: node[name] for name in ("description", "required") if name in node}
    return kept | {"content": {JSON: {"schema": node["content"][JSON]["schema"]}}}
