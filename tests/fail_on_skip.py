"""Pytest plugin: with CI set, skipped tests fail the run."""

import os

import pytest

REPORTER = "terminalreporter"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a passed run that has skips; under pytest-xdist only the controller has a reporter."""
    reporter = session.config.pluginmanager.get_plugin(REPORTER)
    if os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK and _skips(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints why the run failed, above the list of skips."""
    if os.environ.get("CI") and (skips := _skips(terminalreporter)):
        terminalreporter.section("skipped tests fail this run, because CI is set", red=True)
        terminalreporter.line(f"{skips} skipped: give each what it needs, or delete it.", red=True)


def _skips(reporter: pytest.TerminalReporter | None) -> int:
    return len(reporter.stats.get("skipped", ())) if reporter else 0
