"""The contract's operations as a reader meets them: fields, answers, errors, and what is related."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from web.contract import document as contract

JSON = "application/json"


class Field(NamedTuple):
    """A parameter or a property: its name, its type in words, whether it must be there, and what it means."""

    name: str
    type: str
    required: bool
    meaning: str


class Example(NamedTuple):
    """An answer of the contract under the title that it gets on a page, such as `401 Unauthorized`."""

    status: int
    title: str
    value: Any


class Operation:
    """One operation, with every reference of its node followed."""

    def __init__(self, document: dict[str, Any], path: str, method: str) -> None:
        item = document["paths"][path]
        self.node: dict[str, Any] = item[method]
        self.id: str = self.node["operationId"]
        self.tag: str = self.node["tags"][0]
        self.summary: str = self.node["summary"]
        self.description: str = self.node["description"].strip()
        self.lead = " ".join(self.description.split("\n\n")[0].split())
        self.slug = self.id.replace("_", "-")
        self.method = method.upper()
        self.template = path
        self.path: str = document["servers"][0]["url"].rstrip("/") + path
        self.scope: str | None = self.node.get("x-scope")
        self.secured = self.node.get("security", document["security"]) != []
        self.related: list[str] = self.node.get("x-related", [])
        self.parameters = [
            contract.lookup(document, node) for node in [*item.get("parameters", []), *self.node.get("parameters", [])]
        ]
        self._document = document

    def follow(self, node: Any) -> Any:
        return contract.lookup(self._document, node)

    def fields(self, place: str) -> list[Field]:
        """The parameters in `path`, `query` or `header`."""
        return [
            Field(node["name"], self._type(node["schema"]), node.get("required", False), self._meaning(node))
            for node in self.parameters
            if node["in"] == place
        ]

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The node of the JSON body, where the operation takes one."""
        node = self.node.get("requestBody")
        found: dict[str, Any] | None = node and self.follow(node)["content"][JSON]
        return found

    def body_fields(self) -> list[Field]:
        return self.properties(self.body["schema"]) if self.body else []

    def properties(self, node: dict[str, Any]) -> list[Field]:
        """The properties of a schema of the contract."""
        schema = self.follow(node)
        return [
            Field(name, self._type(node), name in schema.get("required", []), self._meaning(self.follow(node)))
            for name, node in schema.get("properties", {}).items()
        ]

    @cached_property
    def responses(self) -> dict[int, dict[str, Any]]:
        return {int(status): self.follow(node) for status, node in self.node["responses"].items()}

    def success(self) -> tuple[int, dict[str, Any]]:
        """The first status below 300 and its response."""
        return min(self.responses.items())

    def returns(self) -> list[str]:
        """What comes back when nothing is wrong: the answer's own words, and those of a 304."""
        (_, first), *others = [(status, node) for status, node in self.responses.items() if status < 400]
        return [first["description"], *(f"`{status}`: {node['description']}" for status, node in others)]

    def successes(self) -> list[Example]:
        return [example for status in self.responses if status < 300 for example in self._examples(status)]

    @cached_property
    def errors(self) -> list[Example]:
        """Every example of every error, in the order of the statuses."""
        return [example for status in self.responses if status >= 400 for example in self._examples(status)]

    def _examples(self, status: int) -> Iterator[Example]:
        title = f"{status} {HTTPStatus(status).phrase}"
        for media in self.responses[status]["content"].values():
            for index, example in enumerate(self.examples(media)):
                summary = example.get("summary", "")
                # A second example of a status says in what it differs.
                yield Example(status, f"{title}: {summary}" if index else title, example["value"])

    def examples(self, media: dict[str, Any]) -> list[dict[str, Any]]:
        """The examples of a media type, of which the plain form is one without a name."""
        if "example" in media:
            return [{"value": media["example"]}]
        return [self.follow(node) for node in media["examples"].values()]

    def _type(self, node: dict[str, Any]) -> str:
        schema = self.follow(node)
        name = f"array of {self._type(schema['items'])}" if schema["type"] == "array" else schema["type"]
        return f"{name} or null" if schema.get("nullable") else name

    def _meaning(self, node: dict[str, Any]) -> str:
        schema = self.follow(node.get("schema", node))
        words: str = node.get("description") or schema["description"]
        return " ".join([words.strip(), *_bounds(schema)])


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    if "minimum" in schema:
        yield f"From {schema['minimum']} to {schema['maximum']}."
    if "default" in schema:
        yield f"Default: `{schema['default']}`."
    if schema["type"] == "string" and "enum" not in schema and schema.get("maxLength", 0) > 64:
        yield f"At most {schema['maxLength']} characters."
    if "maxItems" in schema:
        yield f"At most {schema['maxItems']} items."


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation, in the contract's order."""
    return [
        Operation(document, path, method)
        for path, item in document["paths"].items()
        for method in contract.METHODS
        if method in item
    ]
