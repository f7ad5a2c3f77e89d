"""Rules of path templates: every path must be found by the router, and by one template only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from web.contract.nodes import Node
from web.contract.reading import operations
from web.contract.rules.registry import rule, when

DOCS = "/docs"
_VARIABLE = re.compile(r"\{[^{}]*\}")
_NAMED = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_LITERAL = re.compile("[A-Za-z0-9._~-]*")


@rule("Paths", "two templates of one form")
def _twins(node: Node) -> Iterator[str]:
    seen: dict[str, str] = {}
    for template in _templates(node):
        form = _VARIABLE.sub("{}", template)
        if form in seen:
            yield f"`{seen[form]}` and `{template}`"
        seen[form] = template


@rule("Paths", "template hidden by a longer literal")
def _hidden(node: Node) -> Iterator[str]:
    """The router takes a literal segment before a variable and does not come back."""
    templates = [template.split("/") for template in _templates(node)]
    for one, other in permutations(templates, 2):
        depth = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if not _same(a, b)), None)
        if depth is None or not one[depth].startswith("{") or other[depth].startswith("{"):
            continue
        path = [*one[:depth], other[depth], *one[depth + 1 :]]
        if not any(_matches(path, each) for each in templates if _begins_alike(each, path, depth)):
            yield f"`{'/'.join(one)}` by `{'/'.join(other)}`"


@rule("Paths", "template with text beside a variable")
def _beside(node: Node) -> Iterator[str]:
    for template in _templates(node):
        mixed = any("{" in part and not _NAMED.fullmatch(part) for part in template.split("/"))
        yield from when(broken=mixed, detail=f"`{template}`")


@rule("Paths", "template with characters to be encoded")
def _encoded(node: Node) -> Iterator[str]:
    for template in _templates(node):
        literals = (part for part in template.split("/") if "{" not in part)
        yield from when(broken=not all(map(_LITERAL.fullmatch, literals)), detail=f"`{template}`")


@rule("Paths", "template below the documentation")
def _below_docs(node: Node) -> Iterator[str]:
    below = (o.template for o in operations(node.document) if o.path == DOCS or o.path.startswith(f"{DOCS}/"))
    yield from (f"`{template}`" for template in dict.fromkeys(below))


def _templates(node: Node) -> list[str]:
    return [template for template in node.value if template.startswith("/")]


def _same(one: str, other: str) -> bool:
    return one == other or (one.startswith("{") and other.startswith("{"))


def _begins_alike(template: list[str], path: list[str], depth: int) -> bool:
    """Whether a template has the literal segments of the path up to and including a depth."""
    return len(template) > depth and all(map(_same, template[: depth + 1], path[: depth + 1]))


def _matches(path: list[str], template: list[str]) -> bool:
    """Whether a template finds every path of another one."""
    return len(path) == len(template) and all(
        have.startswith("{") or have == want for want, have in zip(path, template, strict=True)
    )
