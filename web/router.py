"""Router: a trie of path segments, as fast with 300 operations as with ten.

Decision 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from web.contract.operations import Operation
from web.contract.reading import VARIABLE, encode_path
from web.exceptions import MethodNotAllowed, NoSuchEndpoint

_ILLEGAL = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")
_PLAIN = re.compile(r"[0-9A-Za-z_/-]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Node:
    """The paths with one beginning; `templates` are the next segments with variables, the most specific one last.

    `variable` is the node after a segment that is one variable, if no other template competes with it.
    """

    __slots__ = ("literals", "operations", "templates", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.templates: list[_Template] = []
        self.variable: _Node | None = None
        self.operations: dict[str, Operation] = {}

    def child(self, segment: str) -> _Node:
        """The node of the next segment of a path template; it is made if there is none."""
        if not VARIABLE.search(segment):
            return self.literals.setdefault(segment, _Node())
        made = _Template.compile(segment)
        known = next((known for known in self.templates if known.pattern == made.pattern), None)
        if known is None:
            self.templates = sorted([*self.templates, made], key=lambda template: template.literal_length)
            self.variable = made.node if len(self.templates) == 1 and not made.literal_length else None
        return (known or made).node


class _Template(NamedTuple):
    """A segment with variables. A variable has at least one character and ends where the next literal text begins."""

    pattern: re.Pattern[str]
    literal_length: int
    node: _Node

    @classmethod
    def compile(cls, segment: str) -> _Template:
        first, *middle, last = VARIABLE.split(segment)[::2]
        # Atomic groups do not backtrack, so that a match takes linear time.
        variables = "".join(f"(?>(.+?){re.escape(literal)})" for literal in middle)
        pattern = re.compile(f"{re.escape(first)}{variables}(.+){re.escape(last)}")
        return cls(pattern, len("".join((first, *middle, last))), _Node())


class Router:
    """Finds operations by method and path. Each path has exactly one spelling; any other is NoSuchEndpoint (404).

    A concrete segment precedes a templated one, and literal text around a variable precedes the variable alone
    (OpenAPI 3.0.3, Paths Object).
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        self._all_methods: dict[str, Operation] = {}
        for operation in operations:
            node = self._root
            for segment in encode_path(operation.path).split("/"):
                node = node.child(segment)
            node.operations[operation.method] = self._all_methods[operation.method] = operation

    def methods(self, path: bytes) -> tuple[dict[str, Operation], list[str]]:
        """The operations of a path by method, and the values of its variables. Raises NoSuchEndpoint.

        The path `*` of OPTIONS has the methods of all paths (RFC 9110 section 9.3.7).
        """
        return (self._all_methods, []) if path == b"*" else self._at(path)

    def _at(self, path: bytes) -> tuple[dict[str, Operation], list[str]]:
        text, node = path.decode("latin-1"), self._root
        values: list[str] = []
        is_plain = _PLAIN.fullmatch(text) is not None
        # The hexadecimal digits of an escape are case-insensitive (RFC 3986 section 6.2.2.1).
        segments = (text if is_plain else _ESCAPE.sub(_upper, text)).split("/")
        for segment in segments:
            step = node.literals.get(segment)
            if step is None:
                step = node.variable if segment else None
                values.append(segment)
                if step is None:
                    break
            node = step
        operations = node.operations if step else {}
        if not operations:
            operations, values = self._search(segments)
        return operations, values if is_plain else [_value(segment) for segment in values]

    def _search(self, segments: list[str]) -> tuple[dict[str, Operation], list[str]]:
        """Depth first, for paths where the first way down leads nowhere: what is pushed last is tried first."""
        branches: list[tuple[_Node, int, list[str]]] = [(self._root, 0, [])]
        while branches:
            node, depth, values = branches.pop()
            if depth == len(segments):
                if node.operations:
                    return node.operations, values
                continue
            for template in node.templates:
                matched = template.pattern.fullmatch(segments[depth])
                if matched:
                    branches.append((template.node, depth + 1, [*values, *matched.groups()]))
            literal = node.literals.get(segments[depth])
            if literal is not None:
                branches.append((literal, depth + 1, values))
        raise NoSuchEndpoint("No operation of this API has that path")

    def find(self, method: str, path: bytes) -> tuple[Operation, dict[str, str]]:
        """The operation and its path arguments; HEAD finds GET unless the path has an operation of its own for it.

        Raises NoSuchEndpoint, MethodNotAllowed.
        """
        operations, values = self._at(path)
        operation = operations.get(method) or (operations.get("GET") if method == "HEAD" else None)
        if operation is None:
            raise MethodNotAllowed("This path does not support that method", {"allow": allow(operations)})
        return operation, dict(zip(operation.path_names, values, strict=True))


def allow(operations: Iterable[str]) -> str:
    """The value of the Allow header of a path (RFC 9110 section 10.2.1)."""
    methods = set(operations) | {"OPTIONS"}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _upper(escape: re.Match[str]) -> str:
    return escape[0].upper()


def _value(segment: str) -> str:
    """A path variable, decoded. Raises NoSuchEndpoint for dot segments, encoded slashes, controls and bad escapes."""
    if _BAD_ESCAPE.search(segment):
        raise NoSuchEndpoint("The path contains an invalid percent-encoding")
    try:
        text = unquote(segment.encode("latin-1").decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise NoSuchEndpoint("The path is not percent-encoded UTF-8") from None
    if text in (".", "..") or _ILLEGAL.search(text):
        raise NoSuchEndpoint("The path contains a segment that is not allowed")
    return text
