"""Rules of path templates: every path must be found by the router, and by one template only."""

from __future__ import annotations

from collections.abc import Iterator

from web.contract.nodes import Node
from web.contract.reading import AT_ROOT, DOCS, VARIABLE, operations
from web.contract.rules.registry import rule, when


@rule("Paths", "two templates of one form")
def _twins(node: Node) -> Iterator[str]:
    seen: dict[str, str] = {}
    for template in _templates(node):
        form = VARIABLE.sub("{}", template)
        if form in seen:
            yield f"`{seen[form]}` and `{template}`"
        seen[form] = template


@rule("Paths", "template below the documentation")
def _below_docs(node: Node) -> Iterator[str]:
    below = (
        o.template for o in operations(node.document) if o.path in (DOCS, *AT_ROOT) or o.path.startswith(f"{DOCS}/")
    )
    yield from (f"`{template}`" for template in dict.fromkeys(below))


@rule("PathItem", "other than one server")
def _servers(node: Node) -> Iterator[str]:
    return when(broken="servers" in node.value and len(node.value["servers"]) != 1)


def _templates(node: Node) -> list[str]:
    return [template for template in node.value if template.startswith("/")]
