"""How Java writes a client: names, types and comments, and a file for each class."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docsite import client_names
from tools.clients import error_classes, names
from tools.clients.model import Client, Method
from tools.clients.shapes import Enumeration, Model, Property, Shape
from tools.clients.templates import Language, one_line

_WORDS = """
abstract assert boolean break byte case catch char class const continue default do double else enum extends final
finally float for goto if implements import instanceof int interface long native new package private protected public
return short static strictfp super switch synchronized this throw throws transient try void volatile while true false
null _ var yield record sealed permits clone equals finalize getClass hashCode notify notifyAll toString wait
""".split()  # noqa: SIM905 - readable as a list of words
# A model with one of these names would hide the class that the templates mean.
_CLASSES = """
Boolean Builder Call ConditionalPages Consumer Double Field InputStream Integer JsonInclude JsonProperty List Long Map
MusicStudio Object Objects OffsetDateTime Optional Override Pages Response String Transport TypeReference Void
WithResponse
""".split()  # noqa: SIM905
_BASES = ("MusicStudioException", "ApiException", "ConnectionException", "TimeoutException", "InvalidResponseException")
argument = names.avoiding(
    {*_WORDS, "body", "options", "call", "given", "start", "page", "transport"}, client_names.camel
)
field = names.avoiding({*_WORDS, "builder", "build"}, client_names.camel)
method_name = names.avoiding({*_WORDS, "withResponse", "builder", "fromEnv"}, client_names.camel)
class_name = names.avoiding(_CLASSES, lambda name: name)
_BOXED = {
    "text": "String",
    "moment": "OffsetDateTime",
    "integer": "Long",
    "number": "Double",
    "boolean": "Boolean",
    "bytes": "byte[]",
    "any": "Object",
}
_PRIMITIVES = {"Integer": "int", "Long": "long", "Double": "double", "Boolean": "boolean"}
_IMPORT = re.compile(r"^import [\w.]+\.(\w+);\n", re.MULTILINE)


def boxed(shape: Shape) -> str:
    """A type that can be null."""
    if shape.kind == "list" and shape.of:
        return f"List<{boxed(shape.of)}>"
    if shape.kind == "map" and shape.of:
        return f"Map<String, {boxed(shape.of)}>"
    if shape.kind == "integer" and shape.format == "int32":
        return "Integer"
    return class_name(shape.name) if shape.kind == "model" else _BOXED[shape.kind]


def type_of(shape: Shape) -> str:
    """A type whose value is there, unless the shape is nullable."""
    return boxed(shape) if shape.nullable else _PRIMITIVES.get(boxed(shape), boxed(shape))


def component(item: Property, model: Model) -> str:
    """The type of a field in a record: what may be absent from a request and what may be null differ."""
    if is_field(item, model):
        return f"Field<{boxed(item.shape)}>"
    return type_of(item.shape) if item.required and not model.sent else boxed(item.shape)


def is_field(item: Property, model: Model) -> bool:
    """Whether a request may have the field with a value, with null, or not at all."""
    return model.only_sent and not item.required and (item.shape.nullable or item.shape.kind == "any")


def built(item: Property, model: Model) -> str:
    """What a builder gives to its record."""
    name = field(item.name)
    must_be_set = model.only_sent and item.required and not item.shape.nullable and item.shape.kind != "any"
    return f'Objects.requireNonNull({name}, "{name} must be set")' if must_be_set else name


def stored(item: Property, model: Model) -> str:
    """What a builder keeps of an argument."""
    name = field(item.name)
    if is_field(item, model):
        return f"new Field<>({name})"
    refused = model.only_sent and not item.required and type_of(item.shape) not in _PRIMITIVES.values()
    return f'Objects.requireNonNull({name}, "{name} cannot be null")' if refused else name


def told(item: Property, model: Model) -> str:
    """The comment of a field in a record: what it is, and when it is null."""
    text = doc(item.description).rstrip(".") or "see the reference"
    if model.only_sent:
        return text if item.required else f"{text}; null is not sent"
    may_be_null = item.shape.nullable or not item.required
    return f"{text}; may be null" if may_be_null and "null" not in text.lower() else text


def annotated(item: Property, model: Model) -> str:
    """The annotations of a field in a record."""
    required = ", required = true" if item.required and model.read else ""
    name = f'value = "{item.name}"{required}' if required else f'"{item.name}"'
    always = "@JsonInclude " if item.required and item.shape.nullable and model.sent else ""
    return f"{always}@JsonProperty({name})"


def _nothing(item: Property) -> str:
    """The value of a field of a record that was not received."""
    if not item.required or type_of(item.shape) not in _PRIMITIVES.values():
        return "null"
    return "false" if item.shape.kind == "boolean" else "0"


def path(method: Method) -> str:
    """The path of a method as an expression."""
    return f'"{method.path(lambda item: _segment(argument(item.name)))}"'.removesuffix(' + ""')


def _segment(value: str) -> str:
    return f'" + Call.segment({value}) + "'


def doc(text: str) -> str:
    """A description as the text of a comment."""
    escaped = html.escape(one_line(text), quote=False).translate({ord(sign): f"&#{ord(sign)};" for sign in "@/\\{}"})
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped)


def constants(enumeration: Enumeration) -> dict[str, str]:
    """The known values by the name of their constant, with `_` behind a name that another value has."""
    found: dict[str, str] = {}
    for value in enumeration.values:
        name = client_names.snake(value).upper()
        while name in found:
            name += "_"
        found[name] = value
    return found


def _values(client: Client) -> Mapping[str, Any]:
    return {**error_classes.values(client, "Exception", _BASES), "no_details": map(_nothing, client.error_details)}


def _services(client: Client) -> Mapping[str, Any]:
    return {f"{client_names.pascal(resource.name)}Service": resource for resource in client.resources}


def _errors(client: Client) -> Mapping[str, Any]:
    values = _values(client)
    return {error.name: error for error in [*values["error_types"], *values["error_kinds"]]}


def _models(client: Client) -> Mapping[str, Any]:
    return {class_name(model.name): model for model in client.models}


def _enumerations(client: Client) -> Mapping[str, Any]:
    return {class_name(name): enumeration for name, enumeration in client.shapes.enumerations.items()}


def _clean(target: Path) -> None:
    for file in target.rglob("*.java"):
        file.write_text(_without_unused_imports(file.read_text(encoding="utf-8")), encoding="utf-8")


def _without_unused_imports(text: str) -> str:
    """The source without imports of names that occur nowhere else, and without double blank lines."""
    used = _IMPORT.sub(lambda found: found[0] if len(re.findall(rf"\b{found[1]}\b", text)) > 1 else "", text)
    return re.sub(r"\n{3,}", "\n\n", used)


FILTERS = {
    "type": type_of,
    "boxed": boxed,
    "component": component,
    "annotated": annotated,
    "is_field": is_field,
    "stored": stored,
    "told": told,
    "cut": lambda text: text.rstrip(", "),
    "built": built,
    "class": class_name,
    "field": field,
    "argument": argument,
    "method": method_name,
    "constants": constants,
    "path": path,
    "quoted": lambda text: json.dumps(text, ensure_ascii=False),
    "doc": doc,
}
LANGUAGE = Language(
    FILTERS,
    _values,
    _clean,
    {
        "EachService.java": _services,
        "EachException.java": _errors,
        "EachModel.java": _models,
        "EachEnumeration.java": _enumerations,
    },
)
