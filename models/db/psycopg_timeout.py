"""A connection of psycopg that does not wait for ever."""

from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

_T = TypeVar("_T")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that hangs up on a server that has gone silent, which no setting of the server can notice."""

    patience = float("inf")

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        deadline = monotonic() + self.patience
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if monotonic() >= deadline:
                self.pgconn.finish()
            raise
