"""Rules for changes outside of the operations that `redocly diff` rates too low: catalog, quotas, names.

Decision 14.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from tools.contract.change import Finding, broken

Rule = Iterator[Finding]
_COUNTED = ("requests", "seconds", "per")


def findings(base: dict[str, Any], revision: dict[str, Any]) -> list[Finding]:
    """The changes of error catalog, quotas, constants, schemas and names in paths."""
    rules = (_catalog, _quotas, _types, _constants, _path_names)
    return list(chain.from_iterable(rule(base, revision) for rule in rules))


def _catalog(base: dict[str, Any], revision: dict[str, Any]) -> Rule:
    """An error code must keep its status and type."""
    before, after = (_errors(document) for document in (base, revision))
    for code in sorted(before.keys() - after.keys()):
        yield broken(f"who decides by {code}", "The code is gone.", "Keep returning it.")
    for code in sorted(before.keys() & after.keys()):
        for field in ("status", "type"):
            if before[code][field] != after[code][field]:
                yield broken(
                    f"who decides by {code}", f"Its {field} is not the same.", "Add a code, and keep this one as it is."
                )
        if before[code].get("message") != after[code].get("message"):
            yield Finding("patch", f"who shows the message of {code}", f"The message of {code} is another one.")


def _quotas(base: dict[str, Any], revision: dict[str, Any]) -> Rule:
    """A quota may change in a minor version: the headers of every response tell it."""
    before, after = (document.get("x-rate-limits", {}) for document in (base, revision))
    for name in before.keys() | after.keys():
        was, is_ = (quotas.get(name, {}) for quotas in (before, after))
        if [was.get(key) for key in _COUNTED] != [is_.get(key) for key in _COUNTED]:
            what = f"The quota {name} went from {_quota(was)} to {_quota(is_)}."
            yield Finding("minor", f"who counts against {name}", what)


def _quota(quota: dict[str, Any]) -> str:
    return "{requests} requests in {seconds} s per {per}".format(**quota) if quota else "none"


def _constants(base: dict[str, Any], revision: dict[str, Any]) -> Rule:
    """A value of an enumeration must keep the name of its constant in generated clients."""
    before, after = (dict(_constant_names(document)) for document in (base, revision))
    for place in before.keys() & after.keys():
        if before[place] != after[place]:
            what = f"The constant {before[place]} of {place[0]} is {after[place]} now."
            yield broken("who compiles a generated client", what, "Keep the name in x-enum-varnames.")


def _constant_names(document: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for schema, node in document.get("components", {}).get("schemas", {}).items():
        values = node.get("enum", [])
        names = node.get("x-enum-varnames", values)
        yield from (((schema, value), name) for value, name in zip(values, names, strict=False))


def _errors(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document.get("components", {}).get("schemas", {})
    entries: dict[str, Any] = schemas.get("ErrorCode", {}).get("x-errors", {})
    return entries


def _types(base: dict[str, Any], revision: dict[str, Any]) -> Rule:
    """A schema must keep its name, which is a type in every generated client."""
    before, after = (set(document.get("components", {}).get("schemas", {})) for document in (base, revision))
    for name in sorted(before - after):
        yield broken(
            "who compiles a generated client", f"The schema {name} is gone, which is a type there.", "Keep the name."
        )


def _path_names(base: dict[str, Any], revision: dict[str, Any]) -> Rule:
    """A path parameter must keep its name, which is an argument in every generated client."""
    after = {_nameless(path): path for path in revision["paths"]}
    for path in base["paths"]:
        other = after.get(_nameless(path), path)
        if other != path:
            yield broken(
                f"who calls {path} through a generated client",
                f"The path is {other} now, so an argument has another name there.",
                "Keep the names in the braces.",
            )


def _nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)
