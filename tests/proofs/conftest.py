"""Prints a table of the samples that passed, by operation and language."""

import re

import pytest

from docsite.samples import LANGUAGES

MARKS = {"passed": "ok", "failed": "FAILED", "error": "FAILED"}
CELL = re.compile(r"test_sample_gets_the_documented_response\[(.+)-(\w+)\]$")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found: dict[str, dict[str, str]] = {}
    for outcome, mark in MARKS.items():
        for report in terminalreporter.getreports(outcome):
            if cell := CELL.search(report.nodeid):
                found.setdefault(cell[2], {})[cell[1]] = mark
    if not found:
        return
    labels = [language.label for language in LANGUAGES]
    terminalreporter.section("samples")
    terminalreporter.write_line(" ".join([" " * 24, *labels]))
    for operation, row in found.items():
        cells = [row.get(label, "-").ljust(len(label)) for label in labels]
        terminalreporter.write_line(" ".join([operation.ljust(24), *cells]))
    passed = sum(mark == "ok" for row in found.values() for mark in row.values())
    terminalreporter.write_line(f"{passed} of {sum(map(len, found.values()))} samples got the documented response")
