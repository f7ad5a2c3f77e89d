"""Rules of one operation: its handler's name, its quota, its body, its deprecation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from web.contract.nodes import Node
from web.contract.rules.registry import rule, when

_ADDRESS = re.compile(r"(?:https://|/)[!#-;=?-~]+")
_BODILESS = ("GET", "HEAD", "DELETE")


@rule("Operation", "no operationId")
def _no_id(node: Node) -> Iterator[str]:
    return when(broken=not node.value.get("operationId"))


@rule("Operation", "other than one tag")
def _tags(node: Node) -> Iterator[str]:
    return when(broken=len(node.value.get("tags", [])) != 1)


@rule("Operation", "no quota")
def _quota(node: Node) -> Iterator[str]:
    name = node.value.get("x-rate-limit")
    known = isinstance(name, str) and name in node.document.get("x-rate-limits", {})
    return when(broken=not known, detail="" if name is None else f"`{name}`")


@rule("Operation", "quota of a public operation with variables in its path")
def _public_quota(node: Node) -> Iterator[str]:
    operation = node.operation()
    public = operation.is_public and "{" in operation.template
    return when(broken=public and node.value.get("x-rate-limit") != "address")


@rule("Operation", "x-token-rate-limit that is no quota per token, or without {token} in the path")
def _token_quota(node: Node) -> Iterator[str]:
    name, quotas = node.value.get("x-token-rate-limit"), node.document.get("x-rate-limits", {})
    per = quotas[name].get("per") if isinstance(name, str) and name in quotas else None
    right = per == "token" and "token" in node.operation().path_names
    return when(broken=name is not None and not right, detail=f"`{name}`")


@rule("Operation", "requestBody of GET, HEAD or DELETE")
def _body(node: Node) -> Iterator[str]:
    return when(broken="requestBody" in node.value and node.name.upper() in _BODILESS)


@rule("Operation", "x-scope of a public operation")
def _scope(node: Node) -> Iterator[str]:
    return when(broken="x-scope" in node.value and node.operation().is_public)


@rule("Operation", "x-invalid-request that is no error of the operation")
def _invalid_request(node: Node) -> Iterator[str]:
    if "x-invalid-request" not in node.value:
        return
    code, schemas = node.value["x-invalid-request"], node.document.get("components", {}).get("schemas", {})
    catalog = schemas.get("ErrorCode", {}).get("x-errors", {})
    entry = catalog.get(code) if isinstance(code, str) else None
    known = isinstance(entry, dict) and entry.get("status") in node.operation().by_status
    yield from when(broken=not known, detail=f"`{code}`")


@rule("Operation", "x-sunset or x-deprecation of an operation that is not deprecated")
def _not_deprecated(node: Node) -> Iterator[str]:
    about = node.value.keys() & {"x-sunset", "x-deprecation"}
    return when(broken=bool(about) and not node.value.get("deprecated"))


@rule("Operation", "x-sunset or x-deprecation with an unknown value")
def _deprecation(node: Node) -> Iterator[str]:
    about = node.value.get("x-deprecation", {})
    if not isinstance(about, dict):
        yield "`x-deprecation`"
        return
    yield from when(broken="x-sunset" in node.value and not _is_day(node.value["x-sunset"]), detail="`x-sunset`")
    for field, value in about.items():
        right = _is_day(value) if field == "since" else field in ("link", "successor") and _is_address(value)
        yield from when(broken=not right, detail=f"`{field}`")


def _is_day(text: Any) -> bool:
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_address(text: Any) -> bool:
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None
