"""A skipped test proves nothing: where CI is set, it fails the run."""

import os

import pytest

REPORTER = "terminalreporter"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run with skips into a red one; under pytest-xdist only the controller has a reporter."""
    reporter = session.config.pluginmanager.get_plugin(REPORTER)
    if os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK and _skips(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run failed, above the list of the skips and their reasons."""
    if os.environ.get("CI") and (skips := _skips(terminalreporter)):
        terminalreporter.section("skipped tests fail this run, because CI is set", red=True)
        terminalreporter.line(f"{skips} skipped: give each what it needs, or delete it.", red=True)


def _skips(reporter: pytest.TerminalReporter | None) -> int:
    return len(reporter.stats.get("skipped", ())) if reporter else 0
