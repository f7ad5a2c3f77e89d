"""Failures of the mock: one request in N is answered with a documented error of 500 and above."""

from __future__ import annotations

import random

from web.contract.operations import Operation


class Failures:
    """Chooses the request that fails in each N requests, and its status; the same seed chooses the same ones."""

    def __init__(self, one_in: int, seed: int) -> None:
        self._one_in, self._seed = one_in, seed
        self.reset()

    def reset(self) -> None:
        """Begins again with the first request."""
        self._random = random.Random(self._seed)  # noqa: S311 - has to be repeatable, and guards no secret
        self._count, self._chosen = 0, -1

    def next_status(self, operation: Operation) -> int | None:
        """Counts a request; the status that it fails with, or None. An operation without such a status never fails."""
        if not self._one_in:
            return None
        position = self._count % self._one_in
        if position == 0:
            self._chosen = self._random.randrange(self._one_in)
        self._count += 1
        errors = sorted(status for status in operation.responses if status >= 500)
        return self._random.choice(errors) if errors and position == self._chosen else None
