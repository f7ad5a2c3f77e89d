"""Durations are measured by a clock that cannot be set; the clock that can be set is read where dates are meant."""

import ast
from collections.abc import Iterator

from tests.rules.tree import ROOT, at, listed, parse, runtime_modules

# Each reading of the wall clock, and why it must be that clock. Everything else has time.monotonic or the event loop's.
REASONS = {
    "models/base.py now": "dates that are stored or compared with stored ones: creation, expiry, age",
    "models/collection_versions.py renew": "a version above those of a lost history, which nobody may know",
    "web/contract/deprecation.py _since": "the day of a deprecation",
    "web/context.py __init__": "the timestamp of the log line; all machines agree on it for the windows of quotas",
    "web/error_envelope.py to_response": "the timestamp of an error",
    "web/ratelimit/limiter.py malformed_request_headers": "the windows of quotas, as above",
    "web/ratelimit/quotas.py seconds_until": "the windows of quotas, as above",
}
CALLS = {
    "time": {"time", "time_ns", "ctime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "func": {"now", "current_timestamp", "current_date", "localtimestamp"},
}
WITHOUT_ARGUMENT = {"gmtime", "localtime"}


def test_wall_clock_is_read_only_where_dates_are_meant() -> None:
    found = {
        f"{at(file)} {function}": at(file, line)
        for file in runtime_modules()
        for function, line in _readings(parse(file))
    }
    new = [found[name] for name in sorted(found.keys() - REASONS.keys())]
    assert not new, (
        f"The wall clock is read:{listed(new)}\n"
        "It can be set, by hand or by NTP. Measure durations, timeouts and lifetimes with time.monotonic(). For a date "
        f"use models.base.now, or add the function with its reason to {at(ROOT / 'tests/rules/test_clocks.py')}."
    )
    assert not (REASONS.keys() - found.keys()), "a function does not read the clock any more: remove its reason"


def test_rule_detects_readings_of_the_wall_clock() -> None:
    for text in ("time.time()", "datetime.now(UTC)", "date.today()", "func.now()", "time.gmtime()",
                 "from time import time", "datetime.datetime.now()", "at = time.time"):  # fmt: skip
        assert list(_readings(ast.parse(text))), text
    for text in ("time.monotonic()", "time.gmtime(moment)", "loop.time()", "keys.now()", "from time import monotonic"):
        assert not list(_readings(ast.parse(text))), text


def _readings(tree: ast.AST, function: str = "module") -> Iterator[tuple[str, int]]:
    """Function and line of each reading."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if name in CALLS.get(owner, ()):
                    yield inner, node.lineno
            case ast.Call(func=ast.Attribute(attr=name), args=[]) if name in WITHOUT_ARGUMENT:
                yield inner, node.lineno
            case ast.ImportFrom(module="time", names=names) if CALLS["time"] & {alias.name for alias in names}:
                yield inner, node.lineno
        yield from _readings(node, inner)
