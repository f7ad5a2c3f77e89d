"""Signals of a server: which of them stop it, and which have no effect; the table is in docs/operating.md."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
# Operators send these to servers that renew their workers or reopen their logs; the default would end the process.
OPERATORS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Their default would suspend a process in the background of a terminal.
OF_TERMINALS = (signal.SIGTTIN, signal.SIGTTOU)


class Terminal:
    """The terminal of the process, if standard error was one at the start."""

    def __init__(self) -> None:
        self._was_there = os.isatty(2)

    def is_gone(self) -> bool:
        """Whether the terminal was closed, which sends SIGHUP too."""
        return self._was_there and not os.isatty(2)


def handle(stop: Handler, other: Handler) -> None:
    """Sets the handlers of this process; call it in the main thread, before the start, so that no signal is lost."""
    for number in STOPPING:
        signal.signal(number, stop)
    for number in OPERATORS:
        signal.signal(number, other)
    for number in OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
