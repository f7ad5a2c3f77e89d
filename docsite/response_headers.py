"""The headers of the operations' responses: those of most operations, and for each operation its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from docsite.fields import Field, FieldReader
from docsite.operations import Operation
from web.contract.document import lookup

Key = tuple[str, str]
"""The name of a header, and its Header or Reference Object as JSON: one name may have two meanings."""


class ResponseHeaders(NamedTuple):
    """The headers of one operation's responses; the description of each ends with the statuses that may have it."""

    own: list[Field]
    shared: list[Field]
    """Those that most operations have."""


class HeaderReader:
    """Reads the response headers of the operations of one contract."""

    def __init__(self, document: dict[str, Any], operations: Sequence[Operation]) -> None:
        self._document, self._fields = document, FieldReader(document)
        counts = Counter(key for operation in operations for key in _statuses(operation))
        self._shared = [key for key, count in counts.items() if count > max(1, len(operations) / 2)]

    def shared(self) -> list[Field]:
        """The headers that most operations have."""
        return [self._field(*key) for key in self._shared]

    def of(self, operation: Operation) -> ResponseHeaders:
        """The headers of an operation."""
        found = ResponseHeaders([], [])
        anchors = set()
        for key, statuses in _statuses(operation).items():
            field = self._field(*key)
            if field.anchor in anchors:
                field = field._replace(anchor=f"{field.anchor}.{statuses[0]}")
            anchors.add(field.anchor)
            listed = found.shared if key in self._shared else found.own
            listed.append(field._replace(description=f"{field.description} {_words(statuses, operation)}".strip()))
        return found

    def _field(self, name: str, node: str) -> Field:
        header = lookup(self._document, json.loads(node))
        return self._fields.parameter(header | {"name": name, "in": "response"})


def _statuses(operation: Operation) -> dict[Key, list[str]]:
    """The statuses that have each header, in the document's order."""
    found: dict[Key, list[str]] = {}
    for key, status in _pairs(operation):
        found.setdefault(key, []).append(status)
    return found


def _pairs(operation: Operation) -> Iterator[tuple[Key, str]]:
    for status, response in operation.responses.items():
        for name, node in response.get("headers", {}).items():
            yield (name, json.dumps(node)), status


def _words(statuses: list[str], operation: Operation) -> str:
    if statuses == list(operation.responses):
        return "Comes with every status."
    if statuses == [status for status in operation.responses if status[0] in "45"]:
        return "Comes with every error."
    return f"Comes with {', '.join(f'`{status}`' for status in statuses)}."
