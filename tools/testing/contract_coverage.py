"""Pytest plugin: counts which parts of the contract a test run exercises, with --contract-coverage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.contract import coverage_report
from tools.contract.coverage_facts import Exchange, Fact, Tally
from web.contract import document as contract

OPTION = "--contract-coverage"
REPORT = "--contract-report"
_REQUEST = re.compile(rb"([A-Z]+) (?:https?://[^/?\s]+)?(/[^?\s]*)\??(\S*)")
_FIELD = re.compile(rb"([!-9;-~]+):[ \t]*(.*?)[ \t]*")
_tallies: list[Tally] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION, action="store_true", help="count the parts of the contract that are exercised, and fail on missing ones"
    )
    parser.addoption(REPORT, default=coverage_report.FOLDER, type=Path, metavar="FOLDER", help="folder of the report")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        _tallies.append(Tally(contract.document()))


def count_response(response: httpx.Response) -> None:
    """Response hook of httpx: counts the exchange."""
    if _tallies:
        request, url = response.request, response.request.url
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = url.raw_path.decode("latin-1").partition("?")
        _count(Exchange(request.method, path, query, headers, _content(request), response.status_code, response.read()))


def _content(request: httpx.Request) -> bytes:
    try:
        return request.content
    except httpx.RequestNotRead:
        return b""  # a streamed body cannot be read twice


def count_raw_exchange(sent: bytes, status: int, body: bytes) -> bytes:
    """Counts the response to the first request in raw bytes; returns the bytes after that request."""
    head, _, rest = sent.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    named = _REQUEST.match(line)
    fields = [found.groups() for text in lines if (found := _FIELD.fullmatch(text))]
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in fields}
    length = headers.get("content-length", "0")
    size = len(rest) if "transfer-encoding" in headers or not length.isdecimal() else int(length)
    if named and _tallies:
        method, path, query = (part.decode("latin-1") for part in named.groups())
        _count(Exchange(method, path, query, headers, rest[:size], status, body))
    return rest[size:]


def _count(exchange: Exchange) -> None:
    for tally in _tallies:
        tally.add(exchange)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Merges the facts of a pytest-xdist worker that has ended."""
    for tally in _tallies:
        tally.found.update(Fact(*fact) for fact in getattr(node, "workeroutput", {}).get(OPTION, []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker passes its facts to the controller, which writes the report and fails an incomplete run."""
    for tally in _tallies:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[OPTION] = [tuple(fact) for fact in sorted(tally.found)]
            return
        found = _coverage(tally)
        coverage_report.write(found, session.config.getoption(REPORT))
        if session.exitstatus == pytest.ExitCode.OK and list(found.failures()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for found in map(_coverage, _tallies):
        terminalreporter.section("contract coverage")
        for line in coverage_report.summary(found):
            terminalreporter.line(line)
        terminalreporter.line(f"Missing facts, and where to add tests: {config.getoption(REPORT) / 'contract.md'}")
        for failure in found.failures():
            terminalreporter.line(failure, red=True)


def _coverage(tally: Tally) -> coverage_report.Coverage:
    return coverage_report.Coverage(tally.expected(), tally.found, coverage_report.UNREACHABLE)
