"""The types of a contract's schemas, as the templates of a client write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from docsite import client_names
from tools.clients import names
from web.contract.document import lookup
from web.contract.relaxed_contract import KNOWN_VALUES

SCHEMAS = "#/components/schemas/"
# What may stand beside an `allOf` of one part without changing the type.
_ANNOTATIONS = {"nullable", "title", "description", "example", "default", "deprecated", "readOnly", "writeOnly"}


class Shape(NamedTuple):
    """A type: its kind, and what is inside.

    `kind` is text, moment, integer, number, boolean, list, map, model, bytes or any; `of` is the type of a list's items
    or of a map's values; `name` that of a model, or of the known values of a text.
    """

    kind: str
    of: Shape | None = None
    name: str = ""
    nullable: bool = False
    format: str = ""


ANY = Shape("any")


class Property(NamedTuple):
    name: str
    shape: Shape
    required: bool
    description: str


@dataclass
class Model:
    """An object with properties; `sent` if it occurs in requests, `read` if it occurs in responses.

    `closed`: the service refuses other properties.
    """

    name: str
    description: str
    closed: bool
    properties: list[Property] = field(default_factory=list)
    sent: bool = False
    read: bool = False

    @property
    def only_sent(self) -> bool:
        return self.sent and not self.read


class Enumeration(NamedTuple):
    """The known values of a text; a newer service may have more."""

    name: str
    values: list[str]
    description: str


class Shapes:
    """The types of a document; `models` and `enumerations` grow as they are asked for, by name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schemas: dict[str, Any] = document["components"].get("schemas", {})
        self.models: dict[str, Model] = {}
        self.enumerations: dict[str, Enumeration] = {}
        self._owners: dict[str, str] = {}
        self._following: list[str] = []
        self._open: dict[int, str] = {}  # the hints of the schemas that are being read, by identity

    def of(self, schema: dict[str, Any], hint: str) -> Shape:
        """The type of a schema; `hint` names it if it is an object without a name."""
        if "$ref" in schema:
            return self._referenced(schema["$ref"])
        if schema.keys() - _ANNOTATIONS == {"allOf"} and len(schema["allOf"]) == 1:
            shape = self.of(schema["allOf"][0], hint)
            return shape._replace(nullable=bool(schema.get("nullable", shape.nullable)))
        merged = self._merged(schema)
        shape = self._opened(schema, merged, hint)
        return shape._replace(nullable=bool(merged.get("nullable", False)))

    def _opened(self, schema: dict[str, Any], merged: dict[str, Any], hint: str) -> Shape:
        if id(schema) in self._open:
            return self._model_of(self._open[id(schema)])
        self._open[id(schema)] = hint
        shape = self._plain(merged, hint)
        del self._open[id(schema)]
        return shape

    def mark(self, shape: Shape | None, way: str) -> None:
        """Marks the models in a type as `sent` or as `read`."""
        if shape is None:
            return
        self.mark(shape.of, way)
        model = self.models.get(shape.name) if shape.kind == "model" else None
        if model and not getattr(model, way):
            setattr(model, way, True)
            for item in model.properties:
                self.mark(item.shape, way)

    def _referenced(self, reference: str) -> Shape:
        target, name = lookup(self.document, {"$ref": reference}), reference.removeprefix(SCHEMAS)
        if reference in self._following:
            return self._model_of(name)
        self._following.append(reference)
        shape = self.of(target, name)
        self._following.pop()
        return shape

    def _model_of(self, hint: str) -> Shape:
        """The model of a schema that is being read, where it occurs in itself; any value if it is no model."""
        name = client_names.pascal(hint)
        return Shape("model", name=name) if name in self.models else ANY

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with the parts of its `allOf` in it."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema.get("allOf", ()):
            found = self._merged(lookup(self.document, part))
            joined = {"properties": found.get("properties", {}) | merged.get("properties", {})}
            joined["required"] = [*found.get("required", []), *merged.get("required", [])]
            merged = found | merged | {key: value for key, value in joined.items() if value}
        return merged

    def _plain(self, schema: dict[str, Any], hint: str) -> Shape:
        kind = schema.get("type", "")
        if {"oneOf", "anyOf", "not"} & schema.keys():
            return ANY
        if kind == "array":
            return Shape("list", self.of(schema.get("items", {}), f"{hint}_item"))
        if kind == "object":
            return self._object(schema, hint)
        if kind == "string":
            return self._text(schema, hint)
        return Shape(kind, format=schema.get("format", "")) if kind in ("integer", "number", "boolean") else ANY

    def _text(self, schema: dict[str, Any], hint: str) -> Shape:
        form = schema.get("format", "")
        if form == "date-time":
            return Shape("moment")
        if form == "binary":
            return Shape("bytes")
        return Shape("text", name=self._enumeration(schema, hint), format=form)

    def _enumeration(self, schema: dict[str, Any], hint: str) -> str:
        values = [value for value in schema.get(KNOWN_VALUES, schema.get("enum", ())) if isinstance(value, str)]
        if not values:
            return ""
        named = (name for name, other in self.schemas.items() if other.get("enum") == schema.get(KNOWN_VALUES))
        name = client_names.pascal(next(named, hint))
        self.enumerations[name] = Enumeration(name, values, schema.get("description", ""))
        return name

    def _object(self, schema: dict[str, Any], hint: str) -> Shape:
        if "properties" not in schema:
            values = schema.get("additionalProperties", True)
            return Shape("map", self.of(values, f"{hint}_value") if isinstance(values, dict) else ANY)
        name = client_names.pascal(hint)
        names.unique([(name, self._owners.setdefault(name, hint)), (name, hint)], "the models")
        if name not in self.models:
            closed = schema.get("additionalProperties") is False
            model = self.models[name] = Model(name, schema.get("description", ""), closed)
            model.properties.extend(self._properties(schema, hint))
        return Shape("model", name=name)

    def _properties(self, schema: dict[str, Any], hint: str) -> Iterator[Property]:
        for name, node in schema["properties"].items():
            one_way = bool({"readOnly", "writeOnly"} & node.keys())
            required = name in schema.get("required", ()) and not one_way
            description = node.get("description") or lookup(self.document, node).get("description", "")
            yield Property(name, self.of(node, f"{hint}_{name}"), required, description)
