"""Starts servers by forking a process that has imported the command line, which saves a second each."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import TimeoutExpired

PRELOADED = ["app", "cli.main", "cli.start", "ops.database_setup", "ops.maintenance", "web.server.process",
             "models.db.database", "models.db.sqlite", "models.db.asyncpg_executor",
             "models.db.psycopg_executor"]  # fmt: skip


class Forked:
    """The part of the interface of subprocess.Popen that tests of a server use."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid: int = process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise TimeoutExpired("music-studio", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(words: Sequence[str], environ: Mapping[str, str], folder: Path, log: Path) -> Forked:
    """Runs `music-studio WORDS` in a forked process, with its output in a file."""
    process = _context().Process(target=_run, args=(list(words), dict(environ), folder, log))
    process.start()
    return Forked(process)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _run(words: list[str], environ: dict[str, str], folder: Path, log: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    with log.open("ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    sys.argv = ["music-studio", *words]
    from cli.start import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process ends without them
        sys.stdout.flush()
