"""The names of the clients' methods, from operationIds and tags, and the ways in which languages write names."""

from __future__ import annotations

import re

_WORD = re.compile(r"(?:[A-Z]+(?![a-z])|[A-Z]?[a-z]+)[0-9]*|[0-9]+")


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `If-Match`, `if_match` and `ifMatch` have the same two."""
    return [word.lower() for word in _WORD.findall(name)] or ["value"]


def snake(name: str) -> str:
    return _not_a_number("_".join(words(name)), "n")


def pascal(name: str) -> str:
    return _not_a_number("".join(word.capitalize() for word in words(name)), "N")


def camel(name: str) -> str:
    first, *rest = words(name)
    return _not_a_number(first + "".join(word.capitalize() for word in rest), "n")


def method(operation_id: str, tag: str) -> str:
    """The name of a method, in snake case: the operationId without the words of its tag, in the plural or not.

    They go at their first place behind the first word: `list_collection_tracks` of `collections` is `list_tracks`.
    """
    said, noun = words(operation_id), words(tag)
    for form in (noun, [*noun[:-1], singular(noun[-1])]):
        for start in range(1, len(said) - len(form) + 1):
            if said[start : start + len(form)] == form:
                return "_".join(said[:start] + said[start + len(form) :])
    return "_".join(said)


def singular(noun: str) -> str:
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def _not_a_number(name: str, letter: str) -> str:
    return letter + name if name[0].isdigit() else name
