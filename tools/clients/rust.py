"""How Rust writes a client: the methods, and the filters of its templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docsite import client_names
from tools.clients import names, rust_models, rust_types
from tools.clients.model import Argument, Client, Method
from tools.clients.rust_types import CALLS, argument, doc, literal, nullable, takes_texts, type_of
from tools.clients.templates import Language

WIDTH = 120
_BY_VALUE = ("moment", "integer", "number", "boolean")


def parameter(item: Argument) -> str:
    """The type of an argument: numbers by value, everything else by reference."""
    shape = item.shape
    if shape.kind == "list" and shape.of:
        return f"&[{'&str' if takes_texts(shape) else nullable(shape.of, 'models::')}]"
    if shape.kind == "text" and not shape.name:
        return "&str"
    kind = type_of(shape, "models::")
    return kind if shape.kind in _BY_VALUE else f"&{kind}"


def reference(item: Argument, name: str) -> str:
    """The argument as a reference."""
    return f"&{name}" if item.shape.kind in _BY_VALUE else name


def arguments(method: Method) -> list[str]:
    """The arguments of a method."""
    body = [f"body: &{type_of(method.body, 'models::')}"] if method.body and method.body_required else []
    return ["&self", *(f"{argument(item.name)}: {parameter(item)}" for item in method.required), *body]


def path(method: Method) -> list[str]:
    """What the path of a method is formatted from."""
    values = [f"segment({reference(item, argument(item.name))})" for item in method.path_arguments]
    return [literal(method.path(lambda _: "{}")), *values]


def properties(method: Method) -> str:
    """What the transport must know of a method."""
    known = {
        "secured": not method.operation.is_public,
        "repeatable": method.repeatable,
        "keyed": method.keyed,
        "streams": method.result.is_stream,
    }
    return f"Properties {{ {', '.join(f'{name}: {str(value).lower()}' for name, value in known.items())} }}"


def folded(items: Sequence[str], before: str, after: str, margin: int) -> str:
    """Items in brackets as rustfmt writes them: on one line, or each on its own."""
    line = f"{' ' * margin}{before}{', '.join(items)}{after}"
    if len(line) <= WIDTH:
        return line
    lines = "".join(f"{' ' * margin}    {item},\n" for item in items)
    return f"{' ' * margin}{before.rstrip()}\n{lines}{' ' * margin}{after.lstrip()}"


def output(method: Method) -> str:
    """The type of a successful result."""
    return nullable(method.result.shape, "models::") if method.result.shape else "()"


def reader(method: Method) -> str:
    """The function that reads a successful response."""
    if method.result.shape is None:
        return "NOTHING"
    if method.result.is_stream:
        return "BYTES"
    return "json" if method.result.media == "application/json" else "TEXT"


def has_options(method: Method) -> bool:
    """Whether a call can be changed before it is sent."""
    optional_body = bool(method.body) and not method.body_required
    return bool(method.page or method.options or method.conditional or optional_body)


def call_name(name: str, service: str) -> str:
    """The name of the type of a method's calls."""
    return names.avoiding({*CALLS, service}, client_names.pascal)(name)


def documented(method: Method) -> str:
    """The comment of a method: its operation."""
    return f"{doc(method.summary)} (`{method.operation.id}`)"


def _values(client: Client) -> Mapping[str, Any]:
    pages = {method.result.shape.name: method.page for method in client.methods if method.page and method.result.shape}
    return {"pages": pages, "meanings": {error.code: error.message for error in client.errors}}


FILTERS = {
    "type": type_of,
    "class": rust_types.class_name,
    "field": rust_types.field,
    "setter": rust_types.setter,
    "argument": argument,
    "method": rust_types.method_name,
    "resource": rust_types.resource,
    "doc": doc,
    "literal": literal,
    "declared": rust_models.declared,
    "is_clearable": rust_models.is_clearable,
    "attributes": rust_models.attributes,
    "given": rust_models.given,
    "taken": rust_models.taken,
    "initialized": rust_models.initialized,
    "arguments_of": rust_models.arguments_of,
    "variants": rust_models.variants,
    "arguments": arguments,
    "parameter": parameter,
    "reference": reference,
    "call": call_name,
    "path": path,
    "properties": properties,
    "output": output,
    "reader": reader,
    "has_options": has_options,
    "documented": documented,
    "folded": folded,
}
LANGUAGE = Language(FILTERS, _values)
