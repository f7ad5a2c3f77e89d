"""The contract's operations with the texts of their pages: fields, responses, errors and related operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from web.contract import reading
from web.contract.reading import OperationObject


class Field(NamedTuple):
    """A parameter or property: its name, type as text, whether it is required, and its description."""

    name: str
    type: str
    required: bool
    meaning: str


class Example(NamedTuple):
    """An example of a response with its title on the page, such as `401 Unauthorized`."""

    status: int
    title: str
    value: Any


class Operation(OperationObject):
    """One operation of the contract with the texts of its pages."""

    def __init__(self, document: dict[str, Any], template: str, method: str) -> None:
        super().__init__(document, template, method)
        self.tag: str = self.node["tags"][0]
        self.summary: str = self.node["summary"]
        self.description: str = self.node["description"].strip()
        self.lead = " ".join(self.description.split("\n\n")[0].split())
        self.slug = self.id.replace("_", "-")
        self.secured = not self.is_public
        self.related: list[str] = self.node.get("x-related", [])

    def fields(self, place: str) -> list[Field]:
        """The parameters in `path`, `query` or `header`."""
        return [
            Field(node["name"], self._type(node["schema"]), node.get("required", False), self._meaning(node))
            for node in self.parameters_in(place)
        ]

    def body_fields(self) -> list[Field]:
        return self.properties(self.body["schema"]) if self.body else []

    def properties(self, node: dict[str, Any]) -> list[Field]:
        """The properties of a schema."""
        schema = self.follow(node)
        return [
            Field(name, self._type(node), name in schema.get("required", []), self._meaning(self.follow(node)))
            for name, node in schema.get("properties", {}).items()
        ]

    def returns(self) -> list[str]:
        """The descriptions of the success response and of a 304."""
        (_, first), *others = [(status, node) for status, node in self.by_status.items() if status < 400]
        return [first["description"], *(f"`{status}`: {node['description']}" for status, node in others)]

    def successes(self) -> list[Example]:
        return [example for status in self.by_status if status < 300 for example in self._examples(status)]

    @cached_property
    def errors(self) -> list[Example]:
        """All examples of all errors, in the order of the statuses."""
        return [example for status in self.by_status if status >= 400 for example in self._examples(status)]

    def _examples(self, status: int) -> Iterator[Example]:
        title = f"{status} {HTTPStatus(status).phrase}"
        for media in self.by_status[status]["content"].values():
            for index, example in enumerate(self.examples(media)):
                summary = example.get("summary", "")
                # The title of a second example of a status has its summary.
                yield Example(status, f"{title}: {summary}" if index else title, example["value"])

    def examples(self, media: dict[str, Any]) -> list[dict[str, Any]]:
        """The examples of a Media Type Object: `example`, or all of `examples`."""
        if "example" in media:
            return [{"value": media["example"]}]
        return [self.follow(node) for node in media["examples"].values()]

    def _type(self, node: dict[str, Any]) -> str:
        schema = self.follow(node)
        name = f"array of {self._type(schema['items'])}" if schema["type"] == "array" else schema["type"]
        return f"{name} or null" if schema.get("nullable") else name

    def _meaning(self, node: dict[str, Any]) -> str:
        schema = self.follow(node.get("schema", node))
        description: str = node.get("description") or schema["description"]
        return " ".join([description.strip(), *_bounds(schema)])


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
    """All operations, in the contract's order."""
    return [Operation(document, node.template, node.method.lower()) for node in reading.operations(document)]
