"""How Go writes a client: names, types and comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docsite import client_names
from tools.clients import error_classes, names
from tools.clients.model import Argument, Client, Method
from tools.clients.shapes import Model, Property, Shape
from tools.clients.templates import Language, one_line

_WORDS = """
break case chan const continue default defer else fallthrough for func go goto if import interface map package range
return select struct switch type var any bool byte error float64 int nil string true false
""".split()  # noqa: SIM905 - readable as a list of words
argument = names.avoiding({*_WORDS, "body", "options", "ctx", "c", "r", "start"}, client_names.camel)
field = client_names.pascal
_PLAIN = {
    "text": "string",
    "moment": "time.Time",
    "integer": "int",
    "number": "float64",
    "boolean": "bool",
    "bytes": "[]byte",
    "any": "any",
}


def type_of(shape: Shape) -> str:
    if shape.kind == "list" and shape.of:
        return f"[]{_nullable(shape.of)}"
    if shape.kind == "map" and shape.of:
        return f"map[string]{_nullable(shape.of)}"
    return shape.name or _PLAIN[shape.kind]


def _nullable(shape: Shape) -> str:
    can_be_nil = shape.kind in ("list", "map", "any")
    return f"*{type_of(shape)}" if shape.nullable and not can_be_nil else type_of(shape)


def declared(item: Property, model: Model) -> str:
    """A field of a struct with its tag."""
    if item.required:
        return f'{field(item.name)} {_nullable(item.shape)} `json:"{item.name}"`'
    if model.only_sent:
        return f'{field(item.name)} Optional[{type_of(item.shape)}] `json:"{item.name},omitzero"`'
    return f'{field(item.name)} {_nullable(item.shape._replace(nullable=True))} `json:"{item.name},omitempty"`'


def canonical(item: Argument) -> str:
    """The name of a parameter; that of a header as net/http writes it."""
    name = "-".join(word.capitalize() for word in item.name.split("-")) if item.place == "header" else item.name
    return f'"{name}"'


def path(method: Method) -> str:
    """The path of a method as an expression."""
    return f'"{method.path(_segment)}"'.removesuffix('+""')


def _segment(item: Argument) -> str:
    value = f"join({argument(item.name)})" if item.shape.kind == "list" else argument(item.name)
    return f'"+segment({value})+"'


def doc(text: str) -> str:
    """A description as a comment."""
    return one_line(text)


def documented(method: Method, name: str) -> str:
    """The comment of a method: its operation."""
    return f"{name}: {doc(method.summary)} ({method.operation.id})"


def _values(client: Client) -> Mapping[str, Any]:
    errors = error_classes.values(client)
    return {**errors, "type_names": [error.name.removesuffix("Error") for error in errors["error_types"]]}


FILTERS = {
    "type": type_of,
    "declared": declared,
    "canonical": canonical,
    "field": field,
    "argument": argument,
    "path": path,
    "doc": doc,
    "documented": documented,
}
LANGUAGE = Language(FILTERS, _values)
