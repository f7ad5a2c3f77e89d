"""Results of the client tests per language: printed as a table and compared with docs/clients.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.clients import steps
from tests.clients.languages import LANGUAGES, Language
from tools.clients.generators import ROOT

DOCUMENT = ROOT / "docs" / "clients.md"
TESTS = ("test_client_compiles", "test_client_passes_the_scenario", "test_client_handles_the_misbehaving_server")
HEAD = ["language", "compiled with", "live server", "misbehaving server"]
_outcomes: dict[tuple[str, str], str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found = re.search(r"::(\w+)\[([\w, ]+)\]$", report.nodeid)
    if found and (report.when == "call" or not report.passed):
        _outcomes[found[2], found[1]] = report.outcome


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line("")
    for line in _table():
        terminalreporter.write_line(line)
    if _stale():
        terminalreporter.write_line("docs/clients.md has another table: put this one there.", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _stale() and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _stale() -> bool:
    """Whether every test ran and docs/clients.md has another table."""
    complete = len(_outcomes) == len(LANGUAGES) * len(TESTS)
    return complete and "\n".join(_table()) not in DOCUMENT.read_text(encoding="utf-8")


def _table() -> Iterator[str]:
    yield _row(HEAD)
    yield _row(["---"] * len(HEAD))
    for name, language in LANGUAGES.items():
        passed = {test: _outcomes.get((name, test), "not run") for test in TESTS}
        compiled, live, misbehaving = passed.values()
        compiler = language.compiler if compiled == "passed" else compiled
        counted = [("live", live), ("misbehaving", misbehaving)]
        yield _row([name, compiler, *(_steps(part, language, outcome) for part, outcome in counted)])


def _steps(part: str, language: Language, outcome: str) -> str:
    return f"{len(steps.of(part, language))} steps" if outcome == "passed" else outcome


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
