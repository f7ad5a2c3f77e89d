"""Merges the small contracts of the keyword table into a few large ones, for tools that take long to start."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.testing.keyword_cases import Case, Row
from tools.testing.small_service import SHARED, Document, write
from web.contract import document as contract

# The parts of a document that all of its operations share: contracts with other values cannot be one.
_OF_ALL = ("servers", "security", "x-rate-limits")


def merged(cases: Mapping[Row, Case], folder: Path) -> list[Document]:
    """The first contract of each case, as few bundled documents; the paths of each case begin with its number."""
    groups: dict[str, list[tuple[int, Document]]] = defaultdict(list)
    for number, case in enumerate(cases.values()):
        document = contract.load(write(folder, case.one, **case.files))
        components = document["components"]
        shared = [
            *(document[part] for part in _OF_ALL), components["securitySchemes"], components["schemas"]["ErrorCode"]
        ]  # fmt: skip
        groups[json.dumps(shared, sort_keys=True)].append((number, document))
    return [_merge(group) for group in groups.values()]


def _merge(group: list[tuple[int, Document]]) -> Document:
    first = group[0][1]
    components: dict[str, dict[str, Any]] = defaultdict(dict)
    paths: dict[str, Any] = {}
    for number, document in group:
        renamed = _renamed(document, number)
        paths |= {f"/c{number}{path}": item for path, item in renamed["paths"].items()}
        for section, nodes in renamed["components"].items():
            components[section] |= nodes
    return first | {"paths": paths, "components": dict(components)}


def _renamed(document: Document, number: int) -> Document:
    """The document with the number in the name of each operation, and of each component that is not of all cases."""
    text = json.dumps(document)
    for section, name in _own_components(document):
        text = re.sub(rf"#/components/{section}/{name}(?=[\"/])", f"#/components/{section}/{name}{number}", text)
    renamed: Document = json.loads(text)
    own = set(_own_components(document))
    renamed["components"] = {
        section: {f"{name}{number}" if (section, name) in own else name: node for name, node in nodes.items()}
        for section, nodes in renamed["components"].items()
    }
    return _with_operation_ids(renamed, number)


def _own_components(document: Document) -> Iterator[tuple[str, str]]:
    for section, nodes in document["components"].items():
        yield from ((section, name) for name in nodes if name not in SHARED and section != "securitySchemes")


def _with_operation_ids(document: Document, number: int) -> Document:
    """Links name operations, so that the names in them change too."""
    text = re.sub(r'"operationId": "(\w+)"', rf'"operationId": "\1_{number}"', json.dumps(document))
    renamed: Document = json.loads(text)
    return renamed
