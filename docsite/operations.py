"""The contract's operations with the texts of their pages: fields, responses, errors and related operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from docsite import examples
from web.contract import reading
from web.contract.reading import OperationObject

MAX_DEPTH = 3


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
        self.summary: str = self.node.get("summary") or self.id.replace("_", " ").capitalize()
        self.description: str = self.node.get("description", self.summary).strip()
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
        """The properties of the body; a body without properties is one field, named `body`."""
        if not self.body:
            return []
        schema = self.body.get("schema", {})
        return self.properties(schema) or [Field("body", self._type(schema), True, self._meaning(schema))]

    def properties(self, node: dict[str, Any]) -> list[Field]:
        """The properties of a schema, and of the schemas that it combines with `allOf`."""
        schema = self.follow(node)
        inherited = [field for part in schema.get("allOf", []) for field in self.properties(part)]
        own = [
            Field(name, self._type(node), name in schema.get("required", []), self._meaning(self.follow(node)))
            for name, node in schema.get("properties", {}).items()
        ]
        return [*inherited, *own]

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
        for name, media in self.by_status[status].get("content", {}).items():
            if status >= 400 and (name == reading.HTML or not media.keys() & {"example", "examples"}):
                continue  # a page says the same, and an example made from the schema shows the code of another status
            for index, example in enumerate(self.examples(media)):
                summary = example.get("summary", "")
                # The title of a second example of a status has its summary.
                yield Example(status, f"{title}: {summary}" if index else title, example["value"])

    def examples(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The examples of a Media Type or Parameter Object; at least one."""
        return examples.of_holder(node, self.document)

    def _type(self, node: dict[str, Any], depth: int = 0) -> str:
        schema = self.follow(node)
        parts = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf") or []
        if depth < MAX_DEPTH and schema.get("type") == "array":
            name = f"array of {self._type(schema['items'], depth + 1)}"
        elif depth < MAX_DEPTH and "type" not in schema and parts:
            name = " or ".join(dict.fromkeys(self._type(part, depth + 1) for part in parts))
        else:
            name = schema.get("type", "any")
        return f"{name} or null" if schema.get("nullable") else name

    def _meaning(self, node: dict[str, Any]) -> str:
        schema = self.follow(node.get("schema", node))
        description: str = node.get("description") or schema.get("description", "")
        return " ".join(filter(None, [description.strip(), *_bounds(schema)]))


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    bounds = [word for word in ("minimum", "maximum") if word in schema]
    if len(bounds) == 2:
        yield f"From {schema['minimum']} to {schema['maximum']}."
    elif bounds:
        yield f"{bounds[0].capitalize()}: {schema[bounds[0]]}."
    if "default" in schema:
        yield f"Default: `{schema['default']}`."
    if schema.get("type") == "string" and "enum" not in schema and schema.get("maxLength", 0) > 64:
        yield f"At most {schema['maxLength']} characters."
    if "maxItems" in schema:
        yield f"At most {schema['maxItems']} items."


def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations, in the contract's order."""
    return [Operation(document, node.template, node.method.lower()) for node in reading.operations(document)]
