"""Checks that the service does what an OpenAPI document says: compares it with the table keywords.yaml.

One walk over all objects of the document, by their kind. Whatever is not `done` or `none` in the table is refused, so a
keyword that the table does not have is refused too. Decision 61.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from web.contract import objects, rules, structure, yaml_loader
from web.contract.document import HOME, KEYWORDS, load
from web.contract.nodes import Node, nodes
from web.exceptions import ContractError

ACCEPTED = ("done", "none")
# RFC 9110 section 5.1 and section 11.1: field names and authentication schemes have no case.
_CASELESS = {("Response", "headers"), ("SecurityScheme", "name"), ("SecurityScheme", "scheme")}
_UNKNOWN = "This service does not know it; remove it."


class Finding(NamedTuple):
    """One place of a document that the service does not do: `title` is path and method, `pointer` a JSON Pointer."""

    title: str
    keyword: str
    sentence: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.title}: {self.keyword}: {self.sentence} ({self.pointer})"


def require_supported(document: dict[str, Any]) -> None:
    """Raises ContractError with a line per finding, unless the service does everything that the document says."""
    found = findings(document)
    if found:
        raise ContractError("\n".join(["The OpenAPI document says what this service does not do:", *map(str, found)]))


def findings(document: dict[str, Any]) -> list[Finding]:
    """All findings in the order of the document; those of the form alone if the document is not valid OpenAPI 3.0."""
    walked = list(nodes(document))
    invalid = [Finding(node.title, *rest) for node in walked for rest in structure.violations(node)]
    if invalid:
        return invalid
    found = (finding for node in walked for finding in (*_of_fields(node), *_of_rules(node)))
    return list(dict.fromkeys(found))


def table() -> dict[str, dict[str, Any]]:
    """The table: `objects` with the state of each field, `rules` with that of each condition, and `notes`."""
    return _read()


@cache
def _read() -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = yaml_loader.read(KEYWORDS)
    return content


def _of_fields(node: Node) -> Iterator[Finding]:
    states = table()["objects"][node.kind]
    for field, value in node.value.items():
        state, at = _state(states, field), f"{node.pointer}/{objects.escape(field)}"
        if isinstance(state, dict):
            for word in words(value):
                caseless = (node.kind, field) in _CASELESS
                yield from _refused(node, f"`{field}: {word}`", _state(state, word, caseless=caseless), at)
        else:
            yield from _refused(node, f"`{field}`", state, at)


def _refused(node: Node, keyword: str, state: str, pointer: str) -> Iterator[Finding]:
    if state not in ACCEPTED:
        yield Finding(node.title, keyword, state, pointer)


def _state(states: dict[str, Any], name: str, *, caseless: bool = False) -> Any:
    found = row(states, name, caseless=caseless)
    return _UNKNOWN if found is None else states[found]


def row(states: dict[str, Any], name: str, *, caseless: bool = False) -> str | None:
    """The name of the row for a field or value: the exact one, else the first pattern that matches."""
    for candidate in states:
        if candidate == name or (caseless and candidate.lower() == name.lower()):
            return candidate
    if name.startswith("x-") and not caseless:
        return None
    return next((pattern for pattern in states if fnmatchcase(name, pattern)), None)


def words(value: Any) -> list[str]:
    """The values that a row names: the keys of an object, else the value itself."""
    if isinstance(value, dict):
        return [str(key) for key in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _of_rules(node: Node) -> Iterator[Finding]:
    for condition, state in table()["rules"].get(node.kind, {}).items():
        if state not in ACCEPTED:
            for detail in rules.RULES[node.kind, condition](node):
                yield Finding(node.title, f"{condition}: {detail}" if detail else condition, state, node.pointer)


def main() -> None:
    """Prints the findings of the documents in the arguments, or else of the project's own; exit status 1 if any."""
    try:
        for file in map(Path, sys.argv[1:] or [str(HOME)]):
            require_supported(load(file))
    except (ContractError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
