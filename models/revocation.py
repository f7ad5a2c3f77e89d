"""Lifetime of cached keys, and a decorator that delays a key change until every cache has expired.

Decision 35.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from models.db import connection

P = ParamSpec("P")
R = TypeVar("R")

# The lifetime of a key in the servers' caches; commands set it from their settings.
key_cache_seconds: ContextVar[float] = ContextVar("key_cache_seconds", default=0.25)
# Covers the resolution of a coarse clock.
MARGIN_SECONDS = 0.02


def wait_for_key_caches(change: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that changes a key: it returns only after the old key has expired in every cache.

    It does not wait if the result is false (nothing was changed), nor inside a transaction: there the function that
    commits must be decorated.
    """

    @wraps(change)
    def changed(*args: P.args, **kwargs: P.kwargs) -> R:
        result = change(*args, **kwargs)
        if result and not connection.in_transaction():
            wait()
        return result

    return changed


def wait() -> None:
    """Sleeps until every key that a server has cached before now has expired."""
    seconds = key_cache_seconds.get()
    if seconds > 0:
        time.sleep(seconds + MARGIN_SECONDS)
