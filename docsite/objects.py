"""The objects of the contract: the schemas of its responses, each with the fields of its page."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from docsite import examples
from docsite.fields import Field, FieldReader
from docsite.operations import Operation
from web.contract.document import lookup

_NAMED = "#/components/schemas/"


class Object(NamedTuple):
    """A schema of responses. `title` is for example "The collection track object"."""

    name: str
    slug: str
    title: str
    description: str
    fields: list[Field]
    example: Any
    returned_by: list[Operation]
    """The operations that have it as the body of a response."""

    @property
    def short_title(self) -> str:
        """The title in the sidebar: "Collection track"."""
        return self.title.removeprefix("The ").removesuffix(" object").capitalize()


def objects(document: dict[str, Any], operations: list[Operation]) -> list[Object]:
    """The objects in the order in which the operations return them, those of errors last."""
    names = names_of(document, operations)
    reader = FieldReader(document, frozenset(names))
    return [_object(name, document, reader, operations) for name in names]


def names_of(document: dict[str, Any], operations: list[Operation]) -> list[str]:
    """The names of the schemas in responses that have properties."""
    responses = [(status, o.body_schema(status)) for o in operations for status in o.by_status]
    found: dict[str, None] = {}
    for _, schema in sorted(responses, key=lambda response: response[0] >= 400):
        _collect(schema, document, found)
    return [name for name in found if _has_properties(document["components"]["schemas"][name], document)]


def slug(name: str) -> str:
    """The slug of the page of a schema: `collection-track-object`."""
    return f"{'-'.join(_words(name))}-object"


def _object(name: str, document: dict[str, Any], reader: FieldReader, operations: list[Operation]) -> Object:
    schema = document["components"]["schemas"][name]
    return Object(
        name,
        slug(name),
        f"The {' '.join(_words(name))} object",
        schema.get("description", "").strip(),
        reader.properties(schema, "field"),
        examples.of_schema(schema, document),
        [o for o in operations if _NAMED + name in (o.body_schema(status).get("$ref") for status in o.by_status)],
    )


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)] or [name]


def _collect(node: dict[str, Any], document: dict[str, Any], found: dict[str, None]) -> None:
    """Adds the names of the schemas that a schema leads to, itself first."""
    name = node.get("$ref", "").removeprefix(_NAMED)
    if name in found:
        return
    if name:
        found[name] = None
    schema = lookup(document, node)
    listed = [part for word in ("allOf", "oneOf", "anyOf") for part in schema.get(word, [])]
    held = [schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)]
    for part in [*schema.get("properties", {}).values(), *held, *listed]:
        _collect(part, document, found)


def _has_properties(schema: dict[str, Any], document: dict[str, Any]) -> bool:
    found = lookup(document, schema)
    return "properties" in found or any(_has_properties(part, document) for part in found.get("allOf", []))
