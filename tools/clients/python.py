"""How Python writes a client: names, types and docstrings."""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from docsite import client_names
from tools.clients import error_classes, names
from tools.clients.model import Client, Method
from tools.clients.shapes import Model, Property, Shape
from tools.clients.templates import Language, one_line

_MODULES = {"datetime", "typing", "pydantic", "models", "pages", "builtins"}
_WORDS = {*keyword.kwlist, *_MODULES}
_PLAIN = {
    "text": "str",
    "moment": "datetime.datetime",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "bytes": "bytes",
    "any": "typing.Any",
}
# A field with the name of a built-in type would hide it from the fields below.
field = names.avoiding({*_WORDS, *dir(BaseModel), *_PLAIN.values(), "list", "dict", "http"}, client_names.snake)
argument = names.avoiding({*_WORDS, "self", "body", "timeout", "get", "call", "response", "result"}, client_names.snake)
method_name = names.avoiding({*_WORDS, "close"}, client_names.snake)
_MODE = {
    "A": "",
    "a": "",
    "w": "",
    "x": "",
    "iterator": "Iterator",
    "sleep": "time.sleep",
    "result": "Result",
    "page": "Page | _http.NotModified",
}
_ASYNC = {
    "A": "Async",
    "a": "async ",
    "w": "await ",
    "x": "a",
    "iterator": "AsyncIterator",
    "sleep": "anyio.sleep",
    "result": "typing.Awaitable[Result]",
    "page": "typing.Awaitable[Page | _http.NotModified]",
}


def type_of(shape: Shape, module: str = "models.") -> str:
    """A type as an annotation, with `module` before the names of models."""
    written = _type(shape, module)
    return f"{written} | None" if shape.nullable and shape.kind != "any" else written


def _type(shape: Shape, module: str) -> str:
    if shape.kind == "list" and shape.of:
        return f"builtins.list[{type_of(shape.of, module)}]"
    if shape.kind == "map" and shape.of:
        return f"dict[str, {type_of(shape.of, module)}]"
    if shape.name:
        return module + shape.name
    return _PLAIN[shape.kind]


def declared(item: Property, model: Model) -> str:
    """The type and the default of a field; one that may be left out of a request is not null for that."""
    optional = not item.required and not (model.only_sent or item.shape.nullable)
    default = "_ABSENT" if model.only_sent and not item.shape.nullable else "None"
    kind = _in_models(item.shape) + (" | None" if optional and item.shape.kind != "any" else "")
    arguments = [] if item.required else [f"default={default}"]
    if field(item.name) != item.name:
        arguments.append(f"alias={json.dumps(item.name)}")
    return f"{kind} = pydantic.Field({', '.join(arguments)})" if arguments else kind


def _in_models(shape: Shape) -> str:
    """In models.py, pydantic reads the annotations, also those of Python 3.9."""
    return type_of(shape, "").replace("builtins.list", "list")


def path(method: Method) -> str:
    """The path of a method as an expression."""
    text = method.path(lambda item: f"{{_http.segment({argument(item.name)})}}")
    return f'f"{text}"' if method.path_arguments else f'"{text}"'


def doc(text: str) -> str:
    """A description as the text of a docstring."""
    return one_line(text).replace("\\", "\\\\").replace('"', "'")


def documented(method: Method) -> str:
    """The docstring of a method: its operation and what its arguments mean."""
    lines = [f"{doc(method.summary)} ({method.operation.id})"]
    told = [item for item in method.arguments if item.description]
    lines += ["", "Args:"] if told else []
    lines += [f"    {argument(item.name)}: {doc(item.description)}" for item in told]
    return "\n        ".join(lines) + ("\n        " if told else "")


def _values(client: Client) -> Mapping[str, Any]:
    return {"modes": [_MODE, _ASYNC], **error_classes.values(client)}


def _format(target: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--isolated", "--line-length", "120", "--target-version", "py310", "--quiet", str(target)]
    subprocess.run([*ruff, "check", "--select", "F401,I", "--fix", "--exit-zero", *options], check=True)
    subprocess.run([*ruff, "format", *options], check=True)


FILTERS = {
    "type": type_of,
    "declared": declared,
    "field": field,
    "argument": argument,
    "method": method_name,
    "path": path,
    "doc": doc,
    "documented": documented,
}
LANGUAGE = Language(FILTERS, _values, _format)
