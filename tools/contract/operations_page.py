"""Writes docs/operations.md: every operation of the contract, and where each of its sides is declared and tested.

`python -m tools.contract.operations_page`
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from docsite import samples
from settings import ROOT
from tools.workflows.arazzo import workflows
from web.contract import document as contract
from web.contract.reading import OperationObject, operations

FILE = ROOT / "docs" / "operations.md"
DRIVERS = ROOT / "tests" / "clients" / "drivers"
ACCESS, STATUSES, SAMPLES = "tests/test_access.py", "tests/test_statuses.py", "tests/proofs/test_samples.py"
COLUMNS = ("Handler", "Access", "Statuses", "Samples", "Clients", "Workflow")
_VIEW, _BROWSER = "a view of the contract, which tools read", "a path for browsers, which generated clients do not have"
# What an operation does not have, and why; a test fails once it has it.
WITHOUT = {
    ("Workflow", "get_openapi_json"): _VIEW,
    ("Workflow", "get_openapi_client_json"): _VIEW,
    ("Workflow", "get_openapi_v31_json"): _VIEW,
    ("Workflow", "get_audio"): "its address comes whole, as `playback_url`, and goes to a player",
    ("Workflow", "get_shared_page"): _BROWSER,
    ("Workflow", "get_shared_audio"): _BROWSER,
    ("Clients", "get_shared_page"): _BROWSER,
    ("Clients", "get_shared_audio"): _BROWSER,
}
INTRODUCTION = """\
# All operations

Each row is an operation of the contract. `make operations` writes the page from what is declared: functions of
`handlers/`, the tests that pytest collects, the sources of the drivers of the generated clients, and the steps of
`openapi/workflows.arazzo.yaml`. A test fails where a column has less than it should and the end of the page has no
reason.

- **Access**: the tests of `tests/test_access.py` with the operation in their name; public operations have none.
- **Statuses**: those that `tests/test_statuses.py` provokes, of those that the contract documents.
- **Samples**: the languages in which `tests/proofs/test_samples.py` runs the sample of the reference.
- **Clients**: the languages whose driver, a template over the contract, calls the generated client's method.
- **Workflow**: the first workflow that has it as a step.
"""


class Row(NamedTuple):
    """What there is for an operation and what there should be; a workflow or a handler is a name or empty."""

    operation: OperationObject
    handler: str
    access: int
    statuses: tuple[int, int]
    samples: tuple[int, int]
    clients: tuple[int, int]
    workflow: str

    def holes(self) -> Iterator[tuple[str, str]]:
        """Column and operation of each hole, whether or not there is a reason."""
        holes = {
            "Handler": not self.handler,
            "Access": not self.access and not self.operation.is_public,
            "Statuses": self.statuses[0] < self.statuses[1],
            "Samples": self.samples[0] < self.samples[1],
            "Clients": self.clients[0] < self.clients[1],
            "Workflow": not self.workflow,
        }
        yield from ((column, self.operation.id) for column, is_hole in holes.items() if is_hole)


def rows() -> list[Row]:
    """All operations, in the order of the contract."""
    first = {step.operation: workflow.id for workflow in reversed(workflows()) for step in reversed(workflow.steps)}
    offered = {language.label for language in samples.LANGUAGES}
    drivers = _drivers()
    return [
        Row(
            operation,
            _handler(operation),
            sum(operation.id in words for words in _collected(ACCESS)),
            _met(operation),
            (len(offered & _languages_of(operation.id)), len(offered)),
            (sum(_calls(source, operation) for source in drivers.values()), len(drivers)),
            first.get(operation.id, ""),
        )
        for operation in operations(contract.document())
    ]


def _handler(operation: OperationObject) -> str:
    [tag] = operation.node["tags"]
    return f"handlers/{tag}.py" if hasattr(importlib.import_module(f"handlers.{tag}"), operation.id) else ""


def _met(operation: OperationObject) -> tuple[int, int]:
    provoked = {word for words in _collected(STATUSES) for word in words}
    documented = set(operation.node["responses"])
    return len(documented & provoked), len(documented)


def _languages_of(operation_id: str) -> set[str]:
    return {words[0] for words in _collected(SAMPLES) if words[-1] == operation_id}


@cache
def _collected(file: str) -> list[list[str]]:
    """The parameters of each test of the file that pytest collects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [found[1].split("-") for found in map(re.compile(r"\[(.+)\]$").search, done.stdout.splitlines()) if found]


def _drivers() -> Mapping[str, str]:
    """The source of the driver of each language."""
    return {
        folder.name: "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file())
        for folder in sorted(DRIVERS.iterdir())
    }


def _calls(source: str, operation: OperationObject) -> bool:
    """Whether the source is a template that names every operation.

    The template of a client without the paths for browsers says so.
    """
    is_left_out = operation.has_own_server and "if not method.operation.has_own_server" in source
    return "method.operation.id" in source and not is_left_out


def page(found: list[Row]) -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *_table(found), "", *_reasons()])


def _table(found: list[Row]) -> Iterator[str]:
    yield f"| Operation | Request | {' | '.join(COLUMNS)} |\n| --- | --- | {' | '.join('---' for _ in COLUMNS)} |"
    for row in found:
        parts = [" of ".join(map(str, part)) for part in (row.statuses, row.samples, row.clients)]
        cells = [f"`{row.operation.id}`", f"{row.operation.method} `{row.operation.path}`", f"`{row.handler}`"]
        yield f"| {' | '.join([*cells, str(row.access), *parts, f'`{row.workflow}`' if row.workflow else ''])} |"


def _reasons() -> Iterator[str]:
    yield "## Reasons\n"
    for reason in dict.fromkeys(WITHOUT.values()):
        whose: dict[str, list[str]] = {}
        for (column, operation), why in WITHOUT.items():
            if why == reason:
                whose.setdefault(column, []).append(f"`{operation}`")
        for column, names in whose.items():
            yield textwrap.fill(f"- {column} of {', '.join(names)}: {reason}.", 120, subsequent_indent="  ")
    yield ""


def main() -> None:
    """Writes the page."""
    FILE.write_text(page(rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
