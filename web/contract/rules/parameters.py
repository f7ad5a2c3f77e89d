"""Rules of parameters: each must reach the handler under a name of its own, as a value of its type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from web.contract.document import lookup
from web.contract.nodes import Node
from web.contract.parameters import Parameter, argument_name
from web.contract.rules.registry import rule, when
from web.contract.schemas import ValidatorCache

_IGNORED = ("accept", "content-type", "authorization")
_RESERVED = ("body", "caller")
_STYLES = {"path": "simple", "query": "form", "header": "simple"}


@rule("Operation", "variable of the path without a parameter")
def _undeclared(node: Node) -> Iterator[str]:
    operation = node.operation()
    declared = operation.parameter_names("path")
    yield from (f"`{name}`" for name in operation.path_names if name not in declared)


@rule("Operation", "path parameter that is not in the path")
def _unused(node: Node) -> Iterator[str]:
    operation = node.operation()
    yield from (f"`{name}`" for name in operation.parameter_names("path") if name not in operation.path_names)


@rule("Operation", "two parameters of one name")
def _twice(node: Node) -> Iterator[str]:
    """A parameter of the operation replaces the path item's of the same name and place (OpenAPI 3.0.3, Path Item)."""
    operation = node.operation()
    distinct = {(p["in"], _folded(p)) for p in operation.parameters}
    names = [argument_name(name) for _, name in distinct]
    names += [argument_name(_folded(p)) for p in _repeated(node)]
    yield from (f"`{name}`" for name, times in Counter([*names, *_RESERVED]).items() if times > 1)


@rule("Operation", "header parameter that OpenAPI ignores")
def _ignored(node: Node) -> Iterator[str]:
    yield from (f"`{name}`" for name in node.operation().parameter_names("header") if name.lower() in _IGNORED)


@rule("Operation", "If-None-Match of another method than GET or HEAD")
def _if_none_match(node: Node) -> Iterator[str]:
    return when(broken=_takes(node, "if-none-match") and node.name not in ("get", "head"))


@rule("Operation", "x-idempotency without Idempotency-Key")
def _own_idempotency(node: Node) -> Iterator[str]:
    return when(broken="x-idempotency" in node.value and not _takes(node, "idempotency-key"))


@rule("Operation", "Idempotency-Key where it does not work")
def _idempotency(node: Node) -> Iterator[str]:
    operation = node.operation()
    requires_user = bool(operation.security_requirements) and {} not in operation.security_requirements
    works = operation.method not in ("GET", "HEAD") and requires_user
    return when(broken=_takes(node, "idempotency-key") and not works)


@rule("Parameter", "path parameter that is not required")
def _optional(node: Node) -> Iterator[str]:
    return when(broken=node.use == "path" and node.value.get("required") is not True, detail=_name(node))


@rule("Parameter", "parameter without a plain value")
def _type(node: Node) -> Iterator[str]:
    return when(broken=not _is_plain(node, node.use, node.value["name"]), detail=_name(node))


@rule("Header", "header without a plain value")
def _header_type(node: Node) -> Iterator[str]:
    return when(broken=not _is_plain(node, "header", node.name), detail=f"`{node.name}`")


@rule("Parameter", "nullable parameter")
def _nullable(node: Node) -> Iterator[str]:
    return when(broken=_schema(node).get("nullable") is True, detail=_name(node))


@rule("Parameter", "style of another place")
def _style(node: Node) -> Iterator[str]:
    style = node.value.get("style")
    return when(broken=style in ("form", "simple") and style != _STYLES.get(node.use, style), detail=_name(node))


def _repeated(node: Node) -> list[dict[str, Any]]:
    """The parameters of the operation's own list that have a name and place for the second time."""
    seen, repeated = set(), []
    for parameter in (lookup(node.document, one) for one in node.value.get("parameters", [])):
        key = parameter["in"], _folded(parameter)
        repeated += [parameter] if key in seen else []
        seen.add(key)
    return repeated


def _folded(parameter: dict[str, Any]) -> str:
    name: str = parameter["name"]
    return name.lower() if parameter["in"] == "header" else name


def _takes(node: Node, header: str) -> bool:
    return header in (name.lower() for name in node.operation().parameter_names("header"))


def _is_plain(node: Node, place: str, name: str) -> bool:
    """Whether the values have a form in a parameter; a list has none in a path."""
    described = node.value | {"in": place, "name": name, "schema": _schema(node)}
    try:
        parameter = Parameter(described, ValidatorCache(node.document))
    except ValueError:
        return False
    return not (parameter.is_array and place == "path")


def _schema(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = lookup(node.document, node.value.get("schema", {}))
    return found


def _name(node: Node) -> str:
    return f"`{node.value['name']}`"
