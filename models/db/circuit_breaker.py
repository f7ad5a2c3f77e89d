"""Circuit breaker: after a timeout, queries fail at once with Unavailable; every 0.5 s one is let through as a probe.

Decision 30.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from models.db import driver_errors
from models.exceptions import Unavailable

# A timeout opens the circuit only after this time: an earlier failure is a response of the database.
SLOW_SECONDS = 1.0
PROBE_SECONDS = 0.5


class CircuitBreaker:
    """The circuit breaker of one database; without it, all threads and connections could wait for a dead server.

    Closed: `_probe_at` is None. Open: no query runs before `_probe_at`, then one does.
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._probe_at: float | None = None
        self._last_success = float("-inf")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Runs the query inside. Raises Unavailable while the circuit is open, except for one probe every 0.5 s."""
        self._require_closed_or_probe()
        started = monotonic()
        try:
            yield
        except BaseException as error:
            if not driver_errors.is_timeout(error) or monotonic() - started <= SLOW_SECONDS:
                self._record_success()
            elif self._last_success < started:  # else another query has succeeded after this one started
                self._probe_at = monotonic() + PROBE_SECONDS
            raise
        self._record_success()

    def _record_success(self) -> None:
        self._last_success, self._probe_at = monotonic(), None

    def _require_closed_or_probe(self) -> None:
        if self._probe_at is None:
            return
        with self._guard:
            if self._probe_at is None:
                return
            if monotonic() >= self._probe_at:
                self._probe_at = monotonic() + PROBE_SECONDS
                return
        raise Unavailable("The database does not answer")
