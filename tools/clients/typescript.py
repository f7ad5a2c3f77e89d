"""How TypeScript writes a client: names, types and comments."""

from __future__ import annotations

from docsite import client_names
from tools.clients import error_classes, names
from tools.clients.model import Method, Result
from tools.clients.shapes import Shape
from tools.clients.templates import Language, one_line

_WORDS = """
break case catch class const continue debugger default delete do else enum export extends false finally for function if
import in instanceof new null return super switch this throw true try typeof var void while with yield let static await
implements interface package private protected public arguments eval
""".split()  # noqa: SIM905 - readable as a list of words
argument = names.avoiding({*_WORDS, "body", "options", "start"}, client_names.camel)
method_name = names.avoiding({"constructor", "transport"}, client_names.camel)
_PLAIN = {
    "text": "string",
    "moment": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "bytes": "ReadableStream<Uint8Array>",
    "any": "unknown",
}


def type_of(shape: Shape, module: str = "") -> str:
    """A type, with `module` before the names of models."""
    written = _type(shape, module)
    return f"{written} | null" if shape.nullable and shape.kind != "any" else written


def _type(shape: Shape, module: str) -> str:
    if shape.kind == "list" and shape.of:
        return f"Array<{type_of(shape.of, module)}>"
    if shape.kind == "map" and shape.of:
        return f"Record<string, {type_of(shape.of, module)}>"
    return module + shape.name if shape.name else _PLAIN[shape.kind]


def result(found: Result) -> str:
    """The type of a successful result."""
    return type_of(found.shape, "models.") if found.shape else "void"


def path(method: Method) -> str:
    """The path of a method as an expression."""
    return f"`{method.path(lambda item: f'${{segment({argument(item.name)})}}')}`"


def doc(text: str) -> str:
    """A description as the text of a comment."""
    return one_line(text).replace("*/", "* /")


def documented(method: Method) -> str:
    """The comment of a method: its operation and what its arguments mean."""
    told = [item for item in method.arguments if item.description]
    lines = [f"   * @param {_place(item.name, item.required)} {doc(item.description)}" for item in told]
    return "\n".join([f"{doc(method.summary)} ({method.operation.id})", *lines]) + ("\n  " if told else "")


def _place(name: str, required: bool) -> str:
    return argument(name) if required else f"options.{argument(name)}"


FILTERS = {
    "type": type_of,
    "result": result,
    "argument": argument,
    "method": method_name,
    "path": path,
    "doc": doc,
    "documented": documented,
}
LANGUAGE = Language(FILTERS, error_classes.values)
