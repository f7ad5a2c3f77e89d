"""What is tried again: a read on a dead connection, and a transaction that conflicts with another."""

import random
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError

from models.db import driver_errors

R = TypeVar("R")

# A dead connection of the pool is noticed at once; whatever took longer has used up the caller's patience.
_QUICK_SECONDS = 0.25
_RETRY_SECONDS = 1.15
_PAUSES = (0.02, 0.05, 0.1)


def with_reconnect(work: Callable[[], R]) -> R:
    """Run the work, and again on a fresh connection if the first was found dead at once; for what only reads."""
    started = monotonic()
    try:
        return work()
    except DBAPIError as error:
        if not error.connection_invalidated or monotonic() - started > _QUICK_SECONDS:
            raise
    return work()


def retry_policy(statement: Executable) -> Callable[[Callable[[], R]], R]:
    """What only reads may be asked again of a fresh connection; a write may have happened."""
    return (lambda work: work()) if statement.is_dml else with_reconnect


def with_conflict_retry(work: Callable[[], R], sleep: Callable[[float], object]) -> R:
    """Run a transaction, and again after a pause when it conflicts with another; `sleep` waits some seconds."""
    started = monotonic()
    for pause in _PAUSES:
        try:
            return work()
        except DBAPIError as error:
            if not driver_errors.is_serialization_failure(error) or monotonic() - started > _RETRY_SECONDS:
                raise
        sleep(pause * random.random())  # noqa: S311 - no secret, only a pause
    return work()
