"""How Rust writes the fields of models: as they are declared, and as a request gets their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from docsite import client_names
from tools.clients import names
from tools.clients.model import Client
from tools.clients.rust_types import field, literal, takes_texts, type_of
from tools.clients.shapes import Enumeration, Model, Property, Shape


def declared(item: Property, model: Model, client: Client) -> str:
    """The type of a field."""
    kind = _boxed(item, model, client)
    if is_clearable(item, model):
        return f"Nullable<{kind}>"
    return f"Option<{kind}>" if not item.required or (item.shape.nullable and item.shape.kind != "any") else kind


def is_clearable(item: Property, model: Model) -> bool:
    """Whether a request may leave the field out, and may have null in it."""
    return model.sent and not item.required and item.shape.nullable and item.shape.kind != "any"


def _boxed(item: Property, model: Model, client: Client) -> str:
    """A type, in a Box if it has the model in it."""
    kind = type_of(item.shape)
    return f"Box<{kind}>" if model.name in _inner(item.shape, client, set()) else kind


def _inner(shape: Shape, client: Client, seen: set[str]) -> set[str]:
    """The names of the models in a value; a list and a map have theirs elsewhere."""
    if shape.kind == "model" and shape.name not in seen:
        seen.add(shape.name)
        for item in client.shapes.models[shape.name].properties:
            _inner(item.shape, client, seen)
    return seen


def attributes(item: Property, model: Model) -> Iterator[str]:
    """What serde must know of a field."""
    if field(item.name) != item.name:
        yield f"rename = {literal(item.name)}"
    if is_clearable(item, model):
        yield 'default, skip_serializing_if = "Nullable::is_absent"'
    elif not item.required:
        yield 'skip_serializing_if = "Option::is_none"'


def given(item: Property, model: Model, client: Client) -> str:
    """The type of the argument that a field gets its value from."""
    if is_clearable(item, model) or (item.required and item.shape.nullable):
        return f"impl Into<{declared(item, model, client)}>"
    if takes_texts(item.shape):
        return "impl IntoIterator<Item = impl Into<String>>"
    kind = _boxed(item, model, client)
    return f"impl Into<{kind}>" if item.shape.kind == "text" or kind.startswith("Box") else kind


def taken(item: Property, model: Model, client: Client, name: str = "") -> str:
    """The value of a field, of an argument that is `given`."""
    name, kind = name or field(item.name), given(item, model, client)
    if kind.startswith("impl IntoIterator"):
        name = f"{name}.into_iter().map(Into::into).collect()"
    elif kind.startswith("impl"):
        name = f"{name}.into()"
    is_option = not item.required and not is_clearable(item, model)
    return f"Some({name})" if is_option else name


def initialized(model: Model, client: Client) -> list[str]:
    """The fields in the making of an object: from the arguments of their names, or absent."""
    return [_initialized(item, model, client) for item in model.properties]


def _initialized(item: Property, model: Model, client: Client) -> str:
    absent = "Nullable::Absent" if is_clearable(item, model) else "None"
    name, value = field(item.name), taken(item, model, client) if item.required else absent
    return name if name == value else f"{name}: {value}"


def arguments_of(items: Sequence[Property], model: Model, client: Client) -> list[str]:
    """The arguments that fields get their values from."""
    return [f"{field(item.name)}: {given(item, model, client)}" for item in items]


def variants(enumeration: Enumeration) -> list[tuple[str, str]]:
    """Each known value with the name of its variant."""
    found: dict[str, str] = {}
    name = names.avoiding({"Self", "Unknown"}, client_names.pascal)
    for value in enumeration.values:
        candidates = (f"{name(value)}{number or ''}" for number in count())
        found[value] = next(variant for variant in candidates if variant not in found.values())
    return list(found.items())
