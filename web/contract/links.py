"""Location of a resource, from the contract's links (OpenAPI 3.0.3, Link Object and Runtime Expressions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from web.contract.reading import VARIABLE, OperationObject, encode_path, operations

Expression = Callable[[Mapping[str, Any], Mapping[str, str], Any], Any]
"""The value of a runtime expression: of the handler's arguments, or of the response's headers and body."""


class LocationTemplate:
    """The path of a GET with an expression for each of its variables."""

    def __init__(self, path: str, expressions: Mapping[str, Expression]) -> None:
        self._path = path
        self._expressions = expressions

    def expand(self, arguments: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> str:
        """The path of the resource. Raises LookupError if an expression finds nothing."""
        values = {name: read(arguments, headers, body) for name, read in self._expressions.items()}
        return VARIABLE.sub(lambda name: quote(str(values[name[1]]), safe=""), self._path)


def location(source: OperationObject, links: Mapping[str, Any], prefix: str) -> LocationTemplate | None:
    """The template of the first link to a GET that sets exactly the variables of its path; None if there is none.

    `links` are those of a response of `source`; `prefix` is the path below which a proxy serves the API. Raises
    ValueError for an expression that is none of OpenAPI's.
    """
    found = location_link(source, links)
    if found is None:
        return None
    path, given = found
    return LocationTemplate(prefix + path, {name: expression(value) for name, value in given.items()})


def location_link(source: OperationObject, links: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The path and the parameters of that link, as the document writes them."""
    gets = {target.id: target for target in operations(source.document) if target.method == "GET"}
    for link in map(source.follow, links.values()):
        target = gets.get(link.get("operationId"))
        given = {name.removeprefix("path."): value for name, value in link.get("parameters", {}).items()}
        if target is not None and given.keys() == set(target.path_names):
            return encode_path(target.path), given
    return None


def expression(text: Any) -> Expression:
    """A runtime expression, compiled; any other value is a constant. Raises ValueError for an unknown expression."""
    if not isinstance(text, str) or "$" not in text:
        return lambda _arguments, _headers, _body: text
    source, _, name = text.partition(".")
    if source == "$request" and name.partition(".")[0] in ("path", "query", "header"):
        argument = name.partition(".")[2].lower().replace("-", "_")
        return lambda arguments, _headers, _body: arguments[argument]
    if source == "$response" and name.startswith("header."):
        field = name.removeprefix("header.").lower()
        return lambda _arguments, headers, _body: headers[field]
    if source in ("$request", "$response") and name.startswith("body"):
        return _from_body(name, is_request=source == "$request")
    raise ValueError(f"{text} is no runtime expression of OpenAPI 3.0.3 that has a value here.")


def _from_body(name: str, *, is_request: bool) -> Expression:
    pointer = [part.replace("~1", "/").replace("~0", "~") for part in name.partition("#")[2].split("/")[1:]]
    return lambda arguments, _headers, body: _walk(arguments["body"] if is_request else body, pointer)


def _walk(node: Any, pointer: list[str]) -> Any:
    """The target of a JSON Pointer (RFC 6901). Raises LookupError."""
    for part in pointer:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node
