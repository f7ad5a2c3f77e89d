"""Rules of the whole document: servers, error catalog, quotas, operationIds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import models.exceptions
import web.exceptions
from web.contract.nodes import Node
from web.contract.reading import VARIABLE, operations
from web.contract.rules.registry import rule, when

_PATH = re.compile("(?:/[A-Za-z0-9._~-]+)*/?")
_HOST = re.compile("https?://[^/?#]+")
_TEXTS = ("type", "message")


@rule("OpenAPI", "other than one server")
def _servers(node: Node) -> Iterator[str]:
    return when(broken=len(node.value.get("servers", [])) != 1)


@rule("Server", "url without a path that begins with a slash")
def _server_url(node: Node) -> Iterator[str]:
    url = VARIABLE.sub(lambda name: _default(node, name[1]), node.value["url"])
    return when(broken=not _PATH.fullmatch(_HOST.sub("", url, count=1)), detail=f"`{url}`")


@rule("Server", "variable that is not declared")
def _server_variables(node: Node) -> Iterator[str]:
    names = VARIABLE.findall(node.value["url"])
    yield from (f"`{name}`" for name in names if name not in node.value.get("variables", {}))


@rule("OpenAPI", "no error catalog")
def _no_catalog(node: Node) -> Iterator[str]:
    catalog = _catalog(node)
    entries = catalog.values() if isinstance(catalog, dict) else ()
    return when(broken=not entries or not all(_is_entry(entry) for entry in entries))


@rule("OpenAPI", "error code that is not in x-errors")
def _codes(node: Node) -> Iterator[str]:
    modules = (models.exceptions, web.exceptions)
    classes = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    sent = {code for one in classes for code in [getattr(one, "code", None)] if isinstance(code, str)}
    yield from (f"`{code}`" for code in sorted(sent - set(_catalog(node))))


@rule("OpenAPI", "quota without a rate")
def _quotas(node: Node) -> Iterator[str]:
    for name, quota in node.value.get("x-rate-limits", {}).items():
        yield from when(broken=not _is_quota(quota), detail=f"`{name}`")


@rule("OpenAPI", "two operations with one operationId")
def _operation_ids(node: Node) -> Iterator[str]:
    ids = Counter(o.node["operationId"] for o in operations(node.document) if "operationId" in o.node)
    yield from (f"`{name}`" for name, times in ids.items() if times > 1)


def _default(node: Node, name: str) -> str:
    return str(node.value.get("variables", {}).get(name, {}).get("default", name))


def _catalog(node: Node) -> Any:
    schemas = node.value.get("components", {}).get("schemas", {})
    return schemas.get("ErrorCode", {}).get("x-errors", {})


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("status") in range(400, 600)
        and all(isinstance(entry.get(field), str) for field in _TEXTS)
    )


def _is_quota(quota: Any) -> bool:
    if not isinstance(quota, dict) or quota.get("per") not in ("credential", "address", "token"):
        return False
    numbers = [quota.get("requests"), quota.get("seconds")]
    return all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in numbers)
