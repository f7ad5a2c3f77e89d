"""One table of what was proved for which client, printed at the end and held against docs/clients.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.languages import LANGUAGES
from tools.clients.generators import ROOT

PAPER = ROOT / "docs" / "clients.md"
SCENARIO = yaml.safe_load(Path(__file__).with_name("scenario.yaml").read_text(encoding="utf-8"))
PROOFS = ("test_it_compiles", "test_it_does_the_scenario", "test_it_survives_the_nasty_server")
HEAD = ["language", "compiled with", "live server", "nasty server"]
_outcomes: dict[tuple[str, str], str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found = re.search(r"::(\w+)\[(\w+)\]$", report.nodeid)
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
    """Whether everything was tried and the paper tells something else."""
    complete = len(_outcomes) == len(LANGUAGES) * len(PROOFS)
    return complete and "\n".join(_table()) not in PAPER.read_text(encoding="utf-8")


def _table() -> Iterator[str]:
    yield _row(HEAD)
    yield _row(["---"] * len(HEAD))
    for name, language in LANGUAGES.items():
        passed = {proof: _outcomes.get((name, proof), "not run") for proof in PROOFS}
        compiled, live, nasty = passed.values()
        told = language.compiler if compiled == "passed" else compiled
        yield _row([name, told, _steps("live", live), _steps("nasty", nasty)])


def _steps(part: str, outcome: str) -> str:
    return f"{len(SCENARIO[part])} steps" if outcome == "passed" else outcome


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
