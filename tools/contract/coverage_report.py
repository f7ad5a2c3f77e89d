"""The report of contract coverage: what a test run has exercised, what is missing, and where to add a test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from settings import ROOT
from tools.contract.coverage_facts import Fact

FOLDER = ROOT / "dist" / "coverage"
KINDS = {
    "operation": "operations that succeeded",
    "status": "documented statuses met",
    "parameter": "parameters given, left out and refused",
    "keyword": "rules of request bodies kept and broken",
    "example": "examples sent or met",
}
DEMANDED = ("operation", "status")
WHERE = {
    "operation": "tests/test_<tag>.py",
    "status": "tests/test_statuses.py, PROVOCATIONS",
    "parameter": "tests/test_<tag>.py",
    "keyword": "tests/test_<tag>.py",
    "example": "tests/test_<tag>.py",
}
_NEVER_AWAY = "it needs no database and is not counted among the requests in flight"
# What the contract promises of every operation alike and these cannot answer. Whoever makes one of them happen is told
# to take it off this list.
BEYOND = {
    Fact("status", operation, "503"): _NEVER_AWAY
    for operation in ("get_liveness", "get_openapi_json", "get_openapi_yaml")
}


class Coverage(NamedTuple):
    """What can be exercised, what was, and what was not for a reason."""

    expected: set[Fact]
    found: set[Fact]
    beyond: Mapping[Fact, str]

    @property
    def missing(self) -> list[Fact]:
        return sorted(self.expected - self.found - self.beyond.keys() - self._examples_beyond())

    def _examples_beyond(self) -> set[Fact]:
        """The examples of answers that cannot be had."""
        cannot = {(fact.operation, fact.what) for fact in self.beyond}
        return {f for f in self.expected if f.kind == "example" and (f.operation, f.what.split()[0]) in cannot}

    @property
    def undocumented(self) -> list[Fact]:
        return sorted(fact for fact in self.found - self.expected if fact.kind == "status")

    def counts(self, kind: str) -> tuple[int, int]:
        """How many facts of a kind were exercised, of how many."""
        due = {f for f in self.expected - self.beyond.keys() - self._examples_beyond() if f.kind == kind}
        return len(due & self.found), len(due)

    def failures(self) -> Iterator[str]:
        """Why the run does not pass, each with what to do."""
        for fact in self.missing:
            if fact.kind in DEMANDED:
                yield f"{fact.operation} {fact.what}: no test has it; add one in {WHERE[fact.kind]}."
        for fact in self.undocumented:
            yield f"{fact.operation} answered {fact.what}, which the contract does not document."
        for fact in sorted(self.beyond.keys() & self.found):
            yield f"{fact.operation} {fact.what} was met after all: remove it from BEYOND in coverage_report.py."
        for fact in sorted(self.beyond.keys() - self.expected):
            yield f"{fact.operation} {fact.what} is not in the contract: remove it from BEYOND in coverage_report.py."


def summary(coverage: Coverage) -> Iterator[str]:
    """One line for each kind."""
    for kind, words in KINDS.items():
        found, due = coverage.counts(kind)
        yield f"{found:5} of {due:5}  {100 * found / due if due else 100:5.1f} %  {words}"


def write(coverage: Coverage, folder: Path) -> None:
    """Leaves the report as contract.md and contract.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.md").write_text("\n".join(_markdown(coverage)) + "\n", encoding="utf-8")
    told = {
        "counts": {kind: dict(zip(("exercised", "of"), coverage.counts(kind), strict=True)) for kind in KINDS},
        "missing": [fact._asdict() for fact in coverage.missing],
        "beyond": [fact._asdict() | {"reason": reason} for fact, reason in coverage.beyond.items()],
        "undocumented": [fact._asdict() for fact in coverage.undocumented],
    }
    (folder / "contract.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _markdown(coverage: Coverage) -> Iterator[str]:
    yield "# Contract coverage\n"
    yield "What the last whole run of the tests has exercised, over the wire.\n"
    yield "| | exercised | of | |\n| --- | ---: | ---: | ---: |"
    for kind, words in KINDS.items():
        found, due = coverage.counts(kind)
        yield f"| {words} | {found} | {due} | {100 * found / due if due else 100:.1f} % |"
    yield "\n## By operation\n"
    yield f"| operation | {' | '.join(KINDS)} |\n| --- | {' | '.join('---:' for _ in KINDS)} |"
    for operation in dict.fromkeys(fact.operation for fact in sorted(coverage.expected)):
        own = coverage._replace(expected={fact for fact in coverage.expected if fact.operation == operation})
        yield f"| `{operation}` | {' | '.join('{} / {}'.format(*own.counts(kind)) for kind in KINDS)} |"
    yield "\n## Not exercised\n"
    yield from (f"- `{f.operation}` {f.kind}: {f.what}. Add it in {WHERE[f.kind]}." for f in coverage.missing)
    yield "- Nothing." if not coverage.missing else ""
    yield "\n## Documented, and not to be had\n"
    yield from (f"- `{fact.operation}` {fact.what}: {reason}." for fact, reason in coverage.beyond.items())
