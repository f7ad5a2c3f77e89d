"""The operations of an OpenAPI document, read once for the server, the documentation site, the tools and the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from web.contract.document import METHODS, lookup

JSON = "application/json"
# The paths of the documentation, and of files that programs look for at the root of a host: no operation may have them.
DOCS = "/docs"
AT_ROOT = ("/robots.txt", "/llms.txt")
HTML = "text/html; charset=utf-8"
VARIABLE = re.compile(r"\{([^{}/]+)\}")
"""A template expression of a path (OpenAPI 3.0.3, Path Templating)."""


class OperationObject:
    """An Operation Object (OpenAPI 3.0.3) with its path and the parameters of its path item; `$ref`s are resolved.

    `template` is the path in the document, `path` the same prefixed with the path of the server's URL, which is that of
    the path item (`has_own_server`) or else of the document. `method` is in upper case. `has_own_idempotency`: the
    handler does what Idempotency-Key asks for.
    """

    def __init__(self, document: dict[str, Any], template: str, method: str) -> None:
        item = document["paths"][template]
        self.document = document
        self.template = template
        self.has_own_server = "servers" in item
        self.path: str = base_path(item if self.has_own_server else document) + template
        self.method = method.upper()
        self.node: dict[str, Any] = item[method]
        self.id = str(self.node.get("operationId", f"{method} {template}"))
        self.title = f"{self.method} {template}"
        self.path_names: list[str] = VARIABLE.findall(template)
        self.scope: str | None = self.node.get("x-scope")
        self.is_public = not any(self.security_requirements)
        self.has_own_idempotency = self.node.get("x-idempotency") == "handler"
        self._shared: list[Any] = item.get("parameters", [])

    def follow(self, node: Any) -> Any:
        """The node, or the target of its `$ref`."""
        return lookup(self.document, node)

    @cached_property
    def parameters(self) -> list[dict[str, Any]]:
        """The operation's parameters, and those of its path item that it does not override; schemas are inlined."""
        nodes = [self.follow(node) for node in [*self._shared, *self.node.get("parameters", [])]]
        unique = {(node["in"], node["name"]): node for node in nodes}
        return [node | {"schema": self.follow(node.get("schema", {}))} for node in unique.values()]

    def parameters_in(self, place: str) -> list[dict[str, Any]]:
        """The parameters whose `in` is `path`, `query` or `header`."""
        return [node for node in self.parameters if node["in"] == place]

    def parameter_names(self, place: str) -> list[str]:
        """The names of those parameters."""
        return [node["name"] for node in self.parameters_in(place)]

    @cached_property
    def request_body(self) -> dict[str, Any]:
        """The Request Body Object; empty if the operation takes no body."""
        node: dict[str, Any] = self.follow(self.node.get("requestBody", {}))
        return node

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The Media Type Object of the JSON request body, or None."""
        content = self.request_body.get("content", {})
        media: dict[str, Any] | None = self.follow(content[JSON]) if JSON in content else None
        return media

    def body_properties(self) -> dict[str, Any]:
        """The properties of the JSON request body by name."""
        schema = self.follow(self.body["schema"]) if self.body else {}
        properties: dict[str, Any] = schema.get("properties", {})
        return properties

    @cached_property
    def responses(self) -> dict[str, dict[str, Any]]:
        """Every response by status, `default` included."""
        return {status: self.follow(node) for status, node in self.node["responses"].items()}

    @cached_property
    def by_status(self) -> dict[int, dict[str, Any]]:
        """The responses with a numeric status, in the document's order."""
        return {int(status): node for status, node in self.responses.items() if status.isdigit()}

    @property
    def success(self) -> int:
        """The lowest documented status."""
        return min(self.by_status)

    def error_codes(self, status: int) -> set[str]:
        """The error codes in the examples of a status."""
        media = self.by_status.get(status, {}).get("content", {}).get(JSON, {})
        return {value["error"]["code"] for value in examples(media, self.document).values()}

    def security(self) -> list[frozenset[tuple[str, str]]]:
        """The security requirements, each as a set of (scheme, scope) pairs; an empty list means public."""
        return [
            frozenset((name, scope) for name, scopes in alternative.items() for scope in (scopes or [""]))
            for alternative in self.security_requirements
        ]

    @property
    def security_requirements(self) -> list[dict[str, list[str]]]:
        """The Security Requirement Objects of the operation, or else those of the document."""
        listed: list[dict[str, list[str]]] = self.node.get("security", self.document.get("security", []))
        return listed


def operations(document: dict[str, Any]) -> Iterator[OperationObject]:
    """The operations of a document, in its order."""
    for template, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield OperationObject(document, template, method)


def examples(media: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The values of a Media Type Object's examples by name; a single one is named `example`."""
    if "example" in media:
        return {"example": media["example"]}
    return {name: lookup(document, node)["value"] for name, node in media.get("examples", {}).items()}


def path_pattern(path: str) -> re.Pattern[str]:
    """A regular expression for the paths of a template; names in braces become groups, with `_` instead of `-`."""
    pieces = VARIABLE.split(path)
    groups = (f"(?P<{p.replace('-', '_')}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(pieces))
    return re.compile("".join(groups))


def encode_path(template: str) -> str:
    """A path template with its literal text percent-encoded (RFC 3986 section 3.3)."""
    return quote(template, safe="/{}%!$&'()*+,;=:@")


def base_path(holder: dict[str, Any]) -> str:
    """The path of the first server's URL, without a slash at its end; its variables have their defaults.

    `holder` is a document or a Path Item Object.
    """
    server: dict[str, Any] = next(iter(holder.get("servers", ())), {"url": ""})
    variables: dict[str, Any] = server.get("variables", {})
    url = VARIABLE.sub(lambda name: variables.get(name[1], {}).get("default", name[0]), server["url"])
    return urlsplit(url).path.rstrip("/")
