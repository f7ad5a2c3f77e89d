"""Report of the proxy: how often each operation was called, and which rules of the contract were broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from web.exceptions import Violation

OPERATION_COLUMNS = ("operation", "requests", "with_violations")
VIOLATION_COLUMNS = ("times", "operation", "in", "pointer", "code", "message")
MAX_KINDS = 1000
"""Kinds of violation that are told apart, so that the report stays finite."""
NO_OPERATION = "-"


class Found(NamedTuple):
    """A violation of one exchange, in its request or its response."""

    place: Literal["request", "response"]
    violation: Violation


class ProxyReport:
    """Counts the exchanges with one server."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._requests: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        self._kinds: Counter[tuple[str, Found]] = Counter()

    def add(self, operation_id: str | None, found: Sequence[Found]) -> None:
        """Counts one exchange with what was found in it."""
        name = operation_id or NO_OPERATION
        self._requests[name] += 1
        self._wrong[name] += bool(found)
        for one in found:
            if (name, one) in self._kinds or len(self._kinds) < MAX_KINDS:
                self._kinds[name, one] += 1

    @property
    def has_violations(self) -> bool:
        return bool(self._kinds)

    def operations(self) -> list[dict[str, Any]]:
        """A row for each operation that was called."""
        counts = sorted(self._requests.items())
        return [{"operation": name, "requests": count, "with_violations": self._wrong[name]} for name, count in counts]

    def violations(self) -> list[dict[str, Any]]:
        """A row for each kind of violation, the most frequent one first."""
        return [
            {"times": times, "operation": name, "in": found.place, **found.violation._asdict()}
            for (name, found), times in self._kinds.most_common()
        ]

    def facts(self) -> dict[str, Any]:
        """The report for scripts."""
        requests = sum(self._requests.values())
        rows = {"operations": self.operations(), "violations": self.violations()}
        return {"server": self._server, "requests": requests, **rows}
