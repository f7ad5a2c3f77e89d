"""Writes the contract's example values as JSON or as literals of a programming language."""

from __future__ import annotations

import json
import re
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
    empty: str = ""
    """An object without pairs, if its brackets would be an array."""


def _double(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _single(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f"'{text}'"


def _ruby(text: str) -> str:
    return _double(text).replace("#", "\\#")


def _rust(text: str) -> str:
    """A string of Rust, which has other escapes than JSON for control characters."""
    return re.sub(r"\\(u[0-9a-f]{4}|.)", lambda escape: _RUST_ESCAPES.get(escape[0], _braced(escape[1])), _double(text))


def _braced(escape: str) -> str:
    return f"\\u{{{escape[1:]}}}" if len(escape) == 5 else f"\\{escape}"


def _property(quote: Callable[[str], str]) -> Callable[[str], str]:
    """The name of a property: bare if it is an identifier."""
    return lambda name: name if _IDENTIFIER.fullmatch(name) else quote(name)


def _php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_RUST_ESCAPES = {"\\b": "\\u{8}", "\\f": "\\u{c}"}
_IDENTIFIER = re.compile("[A-Za-z_$][A-Za-z0-9_$]*")
_LOWER = {None: "null", True: "true", False: "false"}
JSON = Syntax(_LOWER, _double)
PYTHON = Syntax({None: "None", True: "True", False: "False"}, _double, indent="    ", blank="")
JAVASCRIPT = Syntax(_LOWER, _single, name=_property(_single))
TYPESCRIPT = Syntax(_LOWER, _double, name=_property(_double))
RUST = JSON._replace(indent="    ", text=_rust)
PHP = Syntax(_LOWER, _php, pair="{} => {}", objects=("[", "]"), indent="    ", blank="", empty="new stdClass()")
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
    if value == {} and syntax.empty:
        return syntax.empty
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


def go_value(value: Any) -> str:
    """A field of a request as the client in Go takes it."""
    if isinstance(value, list):
        return f"[]string{{{', '.join(map(go_value, value))}}}"
    return "nil" if value is None else json.dumps(value, ensure_ascii=False)


def go_any(value: Any) -> str:
    """A body whose schema has no name, for which the client in Go has no type."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(name, ensure_ascii=False)}: {go_any(one)}" for name, one in value.items())
        return f"map[string]any{{{', '.join(fields)}}}"
    return f"[]any{{{', '.join(map(go_any, value))}}}" if isinstance(value, list) else go_value(value)


def rust_value(value: Any) -> str:
    """A field of a request as the client in Rust takes it."""
    if isinstance(value, list):
        items = ", ".join(map(rust_value, value))
        return f"[{items}]" if all(isinstance(item, str) for item in value) else f"vec![{items}]"
    return "None" if value is None else _one_line(value, RUST)


def java_value(value: Any) -> str:
    """A field of a request as the client in Java takes it."""
    if isinstance(value, list):
        return f"List.of({', '.join(map(java_value, value))})"
    return _one_line(value, JSON)
