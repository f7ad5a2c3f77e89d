"""A contract as the gates read it: its operations one by one, with what they share put in place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from web.contract import document as contract

ROOT = Path(__file__).parents[2]
JSON = "application/json"


class Operation(NamedTuple):
    """One operation of a document, whose references are followed on demand."""

    document: dict[str, Any]
    path: str
    method: str
    node: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.node.get("operationId", f"{self.method} {self.path}"))

    @property
    def title(self) -> str:
        """As a person would name it: `GET /music/{organization_id}/collections`."""
        return f"{self.method.upper()} {self.path}"

    def at(self, node: Any) -> Any:
        return contract.lookup(self.document, node)

    def parameters(self) -> list[dict[str, Any]]:
        """Those of the path and its own, each with its schema in place."""
        shared = self.document["paths"][self.path].get("parameters", [])
        nodes = [self.at(node) for node in [*shared, *self.node.get("parameters", [])]]
        return [node | {"schema": self.at(node.get("schema", {}))} for node in nodes]

    def body(self) -> dict[str, Any] | None:
        """The media object of its JSON request body."""
        content = self.at(self.node.get("requestBody", {})).get("content", {})
        return self.at(content[JSON]) if JSON in content else None

    def responses(self) -> dict[str, dict[str, Any]]:
        return {status: self.at(node) for status, node in self.node["responses"].items()}

    def security(self) -> list[frozenset[tuple[str, str]]]:
        """The alternatives, each as the (scheme, scope) pairs that it asks for; none of them means public."""
        listed = self.node.get("security", self.document.get("security", []))
        return [
            frozenset((name, scope) for name, scopes in alternative.items() for scope in (scopes or [""]))
            for alternative in listed
        ]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of a document, in its order."""
    for path, item in document["paths"].items():
        for method in contract.METHODS:
            if method in item:
                yield Operation(document, path, method, item[method])


def examples(media: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The examples of a media object by name; a single one is called `example`."""
    if "example" in media:
        return {"example": media["example"]}
    return {name: contract.lookup(document, node)["value"] for name, node in media.get("examples", {}).items()}


def form(path: str) -> re.Pattern[str]:
    """What the paths of a template look like; the names in braces become groups."""
    pieces = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(pieces)))
