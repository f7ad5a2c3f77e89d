"""Connexion's own check of a contract, made when it is compiled: it takes longer than a start may."""

from __future__ import annotations

from typing import Any

from web.contract import objects
from web.exceptions import ContractError

_UNREAD = ("example", "examples", "headers", "links", "schemas")


def require_valid(document: dict[str, Any]) -> None:
    """Raises ContractError unless Connexion can load the document."""
    from connexion.exceptions import InvalidSpecification
    from connexion.spec import Specification

    try:
        Specification.load(_checked_part(document))
    except InvalidSpecification as problem:
        raise ContractError(f"Connexion refuses the OpenAPI document: {problem}") from problem


def _checked_part(document: dict[str, Any]) -> dict[str, Any]:
    """The contract without schemas, examples, headers, links and extensions.

    Connexion would follow a `$ref` in an example or an `enum`, which is data.
    """
    part: dict[str, Any] = _copy("OpenAPI", document)
    return part


def _copy(kind: str, value: Any) -> Any:
    if kind == "Schema":
        return {}
    held = {key: _copy(inner, item) for key, inner, item in objects.members(kind, value)}
    if isinstance(value, list):
        return list(held.values())
    if not isinstance(value, dict) or kind.startswith("{") or objects.is_reference(kind, value):
        return held or value
    return {key: held.get(key, item) for key, item in value.items() if key not in _UNREAD and not key.startswith("x-")}
