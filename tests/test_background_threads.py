"""Background threads: each is named, and survives the failure of its work."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from models.db import migrate
from tools.testing import databases
from tools.testing.server_process import environment, free_port
from tools.testing.service import ROOT
from web.periodic_thread import PeriodicThread
from web.telemetry.metrics import RequestMetrics
from web.telemetry.metrics_exporter import GAUGES, WorkerMetricsCollector

# A server whose threads are listed, with everything on that starts one.
LISTED = """
import json, signal, threading, time, urllib.request
from cli import start

def list_threads():
    while not any(thread.name == "maintenance" for thread in threading.enumerate()):
        time.sleep(0.05)
    time.sleep(2)
    with open(FILE, "w") as file:
        json.dump([thread.name for thread in threading.enumerate()], file)
    signal.raise_signal(signal.SIGTERM)

threading.Thread(target=list_threads, name="test", daemon=True).start()
start.main()
"""
NAMES = {
    "MainThread", "test", "line writer 1", "line writer 2", "shutdown deadline", "maintenance", "metrics",
    "metrics exporter", "OtelBatchSpanRecordProcessor",
}  # fmt: skip


@pytest.mark.slow
def test_threads_of_a_server_are_known_by_name(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    file = tmp_path / "threads.json"
    settings = {
        "MUSIC_STUDIO_METRICS_PORT": str(free_port()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONPATH": str(ROOT),
    }
    program = LISTED.replace("FILE", repr(str(file)))
    words = [sys.executable, "-c", program, "serve", "--port", "0"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={**environment(url), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(file.read_text())) == NAMES, "name the thread, and let its failures be logged"


def test_periodic_thread_survives_exceptions_and_logs_each_series_once() -> None:
    outcomes = [ValueError("one"), ValueError("one"), None, ValueError("one"), OSError("two"), None]
    done = threading.Event()

    def work() -> None:
        if not outcomes:
            done.set()
        elif (outcome := outcomes.pop(0)) is not None:
            raise outcome

    with structlog.testing.capture_logs() as lines, PeriodicThread("test", work, 0.001):
        assert done.wait(10)
    failures = [(line["reason"], line["exc_info"] is not None) for line in lines]
    assert failures == [("ValueError('one')", True), ("ValueError('one')", True), ("OSError('two')", False)]
    assert {line["thread"] for line in lines} == {"test"}


def test_stopped_periodic_thread_works_once_more_if_asked() -> None:
    calls: list[float] = []
    thread = PeriodicThread("test", lambda: calls.append(time.monotonic()), 3600)
    thread.start()
    thread.stop(once_more=True)
    assert len(calls) == 2


def test_metrics_come_back_after_their_folder_was_removed_or_blocked(tmp_path: Path) -> None:
    folder, metrics = tmp_path / "metrics", RequestMetrics()
    gauges = dict.fromkeys(GAUGES, lambda: 1.0)
    with structlog.testing.capture_logs() as lines:
        metrics.start(str(folder), gauges, {}, lambda: 7)
        _await_lost_lines(folder, 7)
        shutil.rmtree(folder)
        _await_lost_lines(folder, 7)
        assert not lines
        shutil.rmtree(folder)
        folder.write_text("a file where the folder was")
        _wait_until(lambda: bool(lines))
        folder.unlink()
        _await_lost_lines(folder, 7)
    assert [line["thread"] for line in lines] == ["metrics"]


def _await_lost_lines(folder: Path, count: int) -> None:
    def found() -> bool:
        samples = [sample for metric in WorkerMetricsCollector(folder).collect() for sample in metric.samples]
        return ("music_studio_log_lines_lost_total", count) in {(sample.name, sample.value) for sample in samples}

    _wait_until(found)


def _wait_until(found: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_files_that_no_worker_has_written_are_no_metrics(tmp_path: Path) -> None:
    for name, content in {
        "1.json": b'{"bounds": [', "abc.json": b"{}", "2.json": b"[]", "3.json": b"\xff", "4.json": b'{"gauges": {}}',
        f"{'9' * 40}.json": b"{}",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "5.json").mkdir()
    samples = [sample for metric in WorkerMetricsCollector(tmp_path).collect() for sample in metric.samples]
    assert {sample.value for sample in samples} == {0}
