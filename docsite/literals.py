"""Writes the contract's example values as JSON or as literals of a programming language."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

WIDTH = 100


class Syntax(NamedTuple):
    """Literals of a language: null, true, false, strings, key-value pairs, objects and arrays."""

    words: dict[Any, str]
    text: Callable[[str], str]
    pair: str = "{}: {}"
    name: Callable[[str], str] | None = None
    objects: tuple[str, str] = ("{", "}")
    arrays: tuple[str, str] = ("[", "]")
    indent: str = "  "
    blank: str = " "
    """The text inside the brackets of an object on one line."""


def _double(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _single(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _ruby(text: str) -> str:
    return _double(text).replace("#", "\\#")


def _php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_LOWER = {None: "null", True: "true", False: "false"}
JSON = Syntax(_LOWER, _double)
PYTHON = Syntax({None: "None", True: "True", False: "False"}, _double, indent="    ", blank="")
JAVASCRIPT = Syntax(_LOWER, _single, name=str)
TYPESCRIPT = Syntax(_LOWER, _double, name=str)
RUST = JSON._replace(indent="    ")
PHP = Syntax(_LOWER, _php, pair="{} => {}", objects=("[", "]"), indent="    ", blank="")
RUBY = Syntax({None: "nil", True: "true", False: "false"}, _ruby, pair="{} => {}")


def write(value: Any, syntax: Syntax = JSON, margin: str = "") -> str:
    """The value on several lines; a flat inner value that fits within 100 columns is written on one line."""
    if not isinstance(value, dict | list) or not value:
        return _one_line(value, syntax)
    deeper = margin + syntax.indent
    if isinstance(value, dict):
        lines = [_pair(key, _inner(item, syntax, deeper), syntax) for key, item in value.items()]
    else:
        lines = [_inner(item, syntax, deeper) for item in value]
    opened, closed = syntax.objects if isinstance(value, dict) else syntax.arrays
    body = ",\n".join(deeper + line for line in lines)
    return f"{opened}\n{body}\n{margin}{closed}"


def _inner(value: Any, syntax: Syntax, margin: str) -> str:
    line = _one_line(value, syntax)
    return line if _is_flat(value) and len(margin + line) <= WIDTH else write(value, syntax, margin)


def _is_flat(value: Any) -> bool:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return not any(isinstance(item, dict | list) and item for item in items)


def _one_line(value: Any, syntax: Syntax) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(_pair(key, _one_line(item, syntax), syntax) for key, item in value.items())
        blank = syntax.blank if pairs else ""
        return f"{syntax.objects[0]}{blank}{pairs}{blank}{syntax.objects[1]}"
    if isinstance(value, list):
        return f"{syntax.arrays[0]}{', '.join(_one_line(item, syntax) for item in value)}{syntax.arrays[1]}"
    if isinstance(value, str):
        return syntax.text(value)
    return syntax.words[value] if value is None or isinstance(value, bool) else str(value)


def _pair(key: str, value: str, syntax: Syntax) -> str:
    return syntax.pair.format((syntax.name or syntax.text)(key), value)
