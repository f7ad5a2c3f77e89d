"""Report of contract coverage: what a test run has exercised, what is missing, and where to add a test.

Decision 15.
"""

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
REQUIRED = ("operation", "status")
WHERE = {
    "operation": "tests/test_<tag>.py",
    "status": "tests/test_statuses.py, PROVOCATIONS",
    "parameter": "tests/test_<tag>.py",
    "keyword": "tests/test_<tag>.py",
    "example": "tests/test_<tag>.py",
}
_NO_503 = "it needs no database and is not counted among the requests in flight"
# Statuses that the contract documents for every operation and that these cannot return. If one occurs after all, the
# report fails until it is removed from this list.
UNREACHABLE = {
    Fact("status", operation, "503"): _NO_503
    for operation in ("get_liveness", "get_openapi_json", "get_openapi_client_json", "get_openapi_v31_json")
}


class Coverage(NamedTuple):
    """The facts that can be exercised, those that were, and those that cannot be reached, with the reason."""

    expected: set[Fact]
    found: set[Fact]
    unreachable: Mapping[Fact, str]

    @property
    def missing(self) -> list[Fact]:
        return sorted(self.expected - self.found - self.unreachable.keys() - self._unreachable_examples())

    def _unreachable_examples(self) -> set[Fact]:
        """The examples of statuses that cannot be reached."""
        statuses = {(fact.operation, fact.what) for fact in self.unreachable}
        return {f for f in self.expected if f.kind == "example" and (f.operation, f.what.split()[0]) in statuses}

    @property
    def undocumented(self) -> list[Fact]:
        return sorted(fact for fact in self.found - self.expected if fact.kind == "status")

    def counts(self, kind: str) -> tuple[int, int]:
        """The number of exercised facts of a kind, and their total."""
        total = {f for f in self.expected - self.unreachable.keys() - self._unreachable_examples() if f.kind == kind}
        return len(total & self.found), len(total)

    def failures(self) -> Iterator[str]:
        """The reasons why the run fails, each with what to do."""
        for fact in self.missing:
            if fact.kind in REQUIRED:
                yield f"{fact.operation} {fact.what}: no test has it; add one in {WHERE[fact.kind]}."
        for fact in self.undocumented:
            yield f"{fact.operation} returned {fact.what}, which the contract does not document."
        for fact in sorted(self.unreachable.keys() & self.found):
            yield f"{fact.operation} {fact.what} was met after all: remove it from UNREACHABLE in coverage_report.py."
        for fact in sorted(self.unreachable.keys() - self.expected):
            yield f"{fact.operation} {fact.what} is not in the contract: remove it from UNREACHABLE."


def summary(coverage: Coverage) -> Iterator[str]:
    """One line per kind."""
    for kind, words in KINDS.items():
        found, total = coverage.counts(kind)
        yield f"{found:5} of {total:5}  {100 * found / total if total else 100:5.1f} %  {words}"


def write(coverage: Coverage, folder: Path) -> None:
    """Writes the report as contract.md and contract.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.md").write_text("\n".join(_markdown(coverage)) + "\n", encoding="utf-8")
    report = {
        "counts": {kind: dict(zip(("exercised", "of"), coverage.counts(kind), strict=True)) for kind in KINDS},
        "missing": [fact._asdict() for fact in coverage.missing],
        "unreachable": [fact._asdict() | {"reason": reason} for fact, reason in coverage.unreachable.items()],
        "undocumented": [fact._asdict() for fact in coverage.undocumented],
    }
    (folder / "contract.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _markdown(coverage: Coverage) -> Iterator[str]:
    yield "# Contract coverage\n"
    yield "What the last complete run of the tests has exercised over HTTP.\n"
    yield "| | exercised | of | |\n| --- | ---: | ---: | ---: |"
    for kind, words in KINDS.items():
        found, total = coverage.counts(kind)
        yield f"| {words} | {found} | {total} | {100 * found / total if total else 100:.1f} % |"
    yield "\n## By operation\n"
    yield f"| operation | {' | '.join(KINDS)} |\n| --- | {' | '.join('---:' for _ in KINDS)} |"
    for operation in dict.fromkeys(fact.operation for fact in sorted(coverage.expected)):
        own = coverage._replace(expected={fact for fact in coverage.expected if fact.operation == operation})
        yield f"| `{operation}` | {' | '.join('{} / {}'.format(*own.counts(kind)) for kind in KINDS)} |"
    yield "\n## Not exercised\n"
    yield from (f"- `{f.operation}` {f.kind}: {f.what}. Add it in {WHERE[f.kind]}." for f in coverage.missing)
    yield "- Nothing." if not coverage.missing else ""
    yield "\n## Documented, but not reachable\n"
    yield from (f"- `{fact.operation}` {fact.what}: {reason}." for fact, reason in coverage.unreachable.items())
