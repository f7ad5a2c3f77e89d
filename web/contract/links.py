"""Location of a created resource, from the contract's links (OpenAPI 3.0.3, Link Object)."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

from web.contract.document import lookup

_FROM_PATH = "$request.path."
_FROM_BODY = "$response.body#/"


class LocationTemplate:
    """Path template of the first link in a response whose operation is a GET."""

    def __init__(self, document: dict[str, Any], links: dict[str, Any]) -> None:
        base = document["servers"][0]["url"].rstrip("/")
        gets = {item["get"]["operationId"]: path for path, item in document["paths"].items() if "get" in item}
        targets = (link for link in map(partial(lookup, document), links.values()) if link.get("operationId") in gets)
        link = next(targets, None)
        self._template = base + gets[link["operationId"]] if link else ""
        self._expressions: dict[str, str] = link.get("parameters", {}) if link else {}

    def expand(self, path_values: dict[str, str], body: dict[str, Any]) -> str:
        """The path of the resource in `body`."""
        values = {name: _value(expression, path_values, body) for name, expression in self._expressions.items()}
        return self._template.format(**values)


def _value(expression: str, path_values: dict[str, str], body: dict[str, Any]) -> str:
    if expression.startswith(_FROM_PATH):
        return quote(path_values[expression.removeprefix(_FROM_PATH)], safe="")
    return quote(str(body[expression.removeprefix(_FROM_BODY)]), safe="")
