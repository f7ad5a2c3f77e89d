"""Reads that may be a moment old are asked of a copy of the database, unless their reader has just written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import Engine, Executable
from sqlalchemy.exc import DBAPIError

from models.db import driver_errors, event_loop, retry
from models.db.statements import FastPath
from models.exceptions import Unavailable

log = structlog.get_logger("models.db.replica")

# How long a copy that did not answer is left alone; somebody's read finds out whether it is back.
RETRY_SECONDS = 5.0
# Less than the primary gets: whoever waits for the copy in vain has to ask the primary too.
STATEMENT_MS = 1000

_lenient: ContextVar[bool] = ContextVar("lenient", default=False)


class Replica:
    """The copy, and who may not be told what it says. `settle_seconds`: how long a writer is told by the primary."""

    def __init__(self, engine: Engine, quick: FastPath | None, settle_seconds: float) -> None:
        self._engine = engine
        self._quick = quick
        self._settle_seconds = settle_seconds
        self._settled_at: dict[str, float] = {}
        self._guard = Lock()
        self._next_try: float | None = None

    @contextmanager
    def reading_as(self, user_id: str) -> Iterator[None]:
        """Whatever is read inside may be a moment old, unless the user has just written."""
        token = _lenient.set(self._settled_at.get(user_id, 0.0) <= monotonic())
        try:
            yield
        finally:
            _lenient.reset(token)

    @contextmanager
    def writing_as(self, user_id: str) -> Iterator[None]:
        """From the end of it the user is told by the primary, until the copy can be expected to know."""
        try:
            yield
        finally:
            self._record_write(user_id)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """Every row; None when the primary has to be asked, also for what the copy does not have, or not yet."""
        if not _lenient.get() or (self._next_try is not None and monotonic() < self._next_try):
            return None
        try:
            found = self._query(statement, binds)
        except (Unavailable, DBAPIError) as failure:
            self._mark_unavailable(failure)
            return None
        if found is not None and self._next_try is not None:
            self._next_try = None
            log.info("the replica answers again")
        return found or None

    def close(self) -> None:
        """Close every connection."""
        if self._quick is not None:
            self._quick.close()
        self._engine.dispose()

    def _query(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        found = self._quick.rows(statement, binds) if self._quick is not None else None
        if found is not None or event_loop.current_loop_call.get() is not None:
            return found
        with driver_errors.translate_errors():
            return retry.with_reconnect(lambda: self._query_in_thread(statement, binds))

    def _query_in_thread(self, statement: Executable, binds: dict[str, Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(statement, binds).all())

    def _mark_unavailable(self, failure: Unavailable | DBAPIError) -> None:
        if isinstance(failure, DBAPIError):
            return  # it answered: what it refuses, the primary may do
        if self._next_try is None:
            log.warning("the replica does not answer; its reads go to the primary", cause=failure.system_message)
        self._next_try = monotonic() + RETRY_SECONDS

    def _record_write(self, user_id: str) -> None:
        moment, known = monotonic(), self._settled_at
        with self._guard:
            known.pop(user_id, None)  # so that the dictionary stays in the order of time
            known[user_id] = moment + self._settle_seconds
            while known[oldest := next(iter(known))] <= moment and oldest != user_id:
                del known[oldest]
