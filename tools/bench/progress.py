"""Progress bar on standard error with the remaining time; a line every 30 seconds if that is no terminal."""

from __future__ import annotations

import sys
import time
from typing import Self

WIDTH = 30


class Bar:
    """Counts steps towards a total."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self._started = self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def step(self, what: str = "") -> None:
        """Counts one step; `what` describes the next."""
        self.done += 1
        self.show(what)

    def show(self, what: str) -> None:
        """Draws the bar."""
        spent = time.monotonic() - self._started
        left = spent / self.done * (self.total - self.done) if self.done else 0.0
        line = f"{self.label} {self.done}/{self.total}, {left / 60:.0f} min {left % 60:02.0f} s left  {what}"
        if sys.stderr.isatty():
            full = WIDTH * self.done // self.total
            sys.stderr.write(f"\r\x1b[K[{'#' * full}{'.' * (WIDTH - full)}] {line[:100]}")
            sys.stderr.flush()
        elif time.monotonic() - self._shown_at > 30:
            self._shown_at = time.monotonic()
            sys.stderr.write(line + "\n")
