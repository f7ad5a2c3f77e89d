"""Once the database has kept somebody waiting in vain, others are refused at once, until it is heard of again."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from models.db import driver_errors
from models.exceptions import Unavailable

# Who is refused sooner was refused by the database, which is then not silent.
SLOW_SECONDS = 1.0
PROBE_SECONDS = 0.5


class CircuitBreaker:
    """One thing that is waited for: every worker thread would wait for it, and nobody be left to say so."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._next_try: float | None = None
        self._last_success = float("-inf")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raises Unavailable while there is silence, but lets one in every half second find out whether it is over."""
        self._require_probe()
        started = monotonic()
        try:
            yield
        except BaseException as error:
            if not driver_errors.is_timeout(error) or monotonic() - started <= SLOW_SECONDS:
                self._record_success()
            elif (
                self._last_success < started
            ):  # else somebody has had an answer meanwhile, and this one only began too early
                self._next_try = monotonic() + PROBE_SECONDS
            raise
        self._record_success()

    def _record_success(self) -> None:
        self._last_success, self._next_try = monotonic(), None

    def _require_probe(self) -> None:
        if self._next_try is None:
            return
        with self._guard:
            if self._next_try is None:
                return
            if monotonic() >= self._next_try:
                self._next_try = monotonic() + PROBE_SECONDS
                return
        raise Unavailable("The database does not answer")
