"""The rules by object and condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from web.contract.nodes import Node

Rule = Callable[[Node], Iterator[str]]
RULES: dict[tuple[str, str], Rule] = {}


def rule(kind: str, condition: str) -> Callable[[Rule], Rule]:
    """Registers a rule under its row in the table."""

    def register(function: Rule) -> Rule:
        RULES[kind, condition] = function
        return function

    return register


def when(*, broken: bool, detail: str = "") -> Iterator[str]:
    """One fault if the condition holds."""
    if broken:
        yield detail
