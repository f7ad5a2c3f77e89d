"""Retries: a read on a broken connection, a stale prepared statement, and a transaction that conflicts with another."""

import random
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError

from models.db import driver_errors

R = TypeVar("R")

# A broken connection from the pool fails at once. After a longer wait a retry would exceed the response time.
_QUICK_SECONDS = 0.25
_RETRY_SECONDS = 1.15
_PAUSES = (0.02, 0.05, 0.1)


def with_reconnect(work: Callable[[], R]) -> R:
    """Runs `work`, and once more if its connection was found unusable within 0.25 s; for reads only."""
    started = monotonic()
    try:
        return work()
    except DBAPIError as error:
        if not error.connection_invalidated or monotonic() - started > _QUICK_SECONDS:
            raise
    return work()


def with_fresh_statement(work: Callable[[], R]) -> R:
    """Runs `work`, and once more if the database refused its prepared statement as stale, before it took effect."""
    try:
        return work()
    except DBAPIError as error:
        if not driver_errors.is_stale_statement(error):
            raise
    return work()


def retry_policy(statement: Executable) -> Callable[[Callable[[], R]], R]:
    """`with_reconnect` for a read; for a write, which may have taken effect, `with_fresh_statement`."""
    return with_fresh_statement if statement.is_dml else with_reconnect


def with_conflict_retry(work: Callable[[], R], sleep: Callable[[float], object]) -> R:
    """Runs a transaction, up to three times more after conflicts; `sleep` takes seconds."""
    started = monotonic()
    for pause in _PAUSES:
        try:
            return work()
        except DBAPIError as error:
            if not driver_errors.is_conflict(error) or monotonic() - started > _RETRY_SECONDS:
                raise
        sleep(pause * random.random())  # noqa: S311 - jitter, not a secret
    return work()
