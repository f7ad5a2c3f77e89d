"""Concurrency limits of one process: requests in flight, and bodies that one credential is sending.

Decision 68.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from models.exceptions import Unavailable


class ConcurrencyLimiter:
    """Counts a request from when it is complete, authenticated and within its quota, until its handler has returned.

    So a client that sends slowly, or without a credential, takes no place from others.
    """

    def __init__(self, max_in_flight: int, max_bodies: int) -> None:
        self.in_flight = 0
        self.max_in_flight, self._max_bodies = max_in_flight, max_bodies
        self._bodies: Counter[str] = Counter()

    def overloaded(self) -> Unavailable:
        """The error of a request when `max_in_flight` requests are executed already."""
        return Unavailable("Too many requests are in flight; try again soon")

    @contextmanager
    def receiving_body(self, credential: str) -> Iterator[None]:
        """Counts a body while it arrives. Raises Unavailable if the credential is sending too many others."""
        if self._bodies[credential] >= self._max_bodies:
            raise Unavailable(f"This credential is sending {self._max_bodies} other request bodies; try again soon")
        self._bodies[credential] += 1
        try:
            yield
        finally:
            self._bodies[credential] -= 1
            if not self._bodies[credential]:
                del self._bodies[credential]
