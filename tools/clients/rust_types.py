"""How Rust writes names, types and comments."""

from __future__ import annotations

import re

from docsite import client_names, literals
from tools.clients import names
from tools.clients.shapes import Shape
from tools.clients.templates import one_line

_WORDS = """
as async await break const continue crate dyn else enum extern false fn for gen if impl in let loop match mod move mut
pub ref return self static struct super trait true try type unsafe use where while abstract become box do final macro
override priv typeof unsized virtual yield
""".split()  # noqa: SIM905 - readable as a list of words
_PRELUDE = {"Option", "Some", "None", "Result", "Ok", "Err", "String", "Vec", "Box", "Self", "Default", "Clone", "From"}
_TYPES = {
    *_PRELUDE,
    "BTreeMap",
    "DateTime",
    "Utc",
    "Value",
    "Nullable",
    "Page",
    "Serialize",
    "Deserialize",
    "PartialEq",
}
CALLS = {
    *_PRELUDE,
    "Arc",
    "BTreeMap",
    "DateTime",
    "Utc",
    "Call",
    "Items",
    "ByteStream",
    "Request",
    "Properties",
    "Transport",
    "Method",
    "Value",
}
_SETTERS = {*_WORDS, "new", "timeout", "with_response", "next", "into_stream", "pages", "first", "first_unless", "body"}
field = names.avoiding(_WORDS, client_names.snake)
setter = names.avoiding(_SETTERS, client_names.snake)
argument = names.avoiding({*_WORDS, "body", "call", "path", "request", "properties"}, client_names.snake)
method_name = names.avoiding({*_WORDS, "new", "clone"}, client_names.snake)
resource = names.avoiding({*_WORDS, "imports", "builder", "from_env", "clone"}, client_names.snake)
class_name = names.avoiding(_TYPES, client_names.pascal)
_PLAIN = {
    "text": "String",
    "moment": "DateTime<Utc>",
    "integer": "i64",
    "number": "f64",
    "boolean": "bool",
    "bytes": "ByteStream",
    "any": "Value",
}


def type_of(shape: Shape, module: str = "") -> str:
    """A type that is not null, with `module` before the names of models."""
    if shape.kind == "list" and shape.of:
        return f"Vec<{nullable(shape.of, module)}>"
    if shape.kind == "map" and shape.of:
        return f"BTreeMap<String, {nullable(shape.of, module)}>"
    return module + class_name(shape.name) if shape.name else _PLAIN[shape.kind]


def nullable(shape: Shape, module: str = "") -> str:
    is_option = shape.nullable and shape.kind != "any"
    return f"Option<{type_of(shape, module)}>" if is_option else type_of(shape, module)


def takes_texts(shape: Shape) -> bool:
    return shape.kind == "list" and shape.of is not None and shape.of == Shape("text", format=shape.of.format)


def doc(text: str) -> str:
    """A description as a comment: what is no code and would be a link or an element in Markdown is escaped."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:  # one without its other half
        parts[-2:] = [f"{parts[-2]}'{parts[-1]}"]
    parts[::2] = [re.sub(r"(?:https?://[^\s<>)]*[^\s<>).,;])|([\[\]<>])", _escaped, part) for part in parts[::2]]
    return "`".join(parts)


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else f"<{found[0]}>"


def literal(text: str) -> str:
    return literals.write(text, literals.RUST)
