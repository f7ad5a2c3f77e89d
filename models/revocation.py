"""Lifetime of cached keys, and a decorator that delays a key change until every cache has expired."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from models.db import connection

P = ParamSpec("P")
R = TypeVar("R")

# The lifetime of a key in the caches of the servers; commands set it to what their settings say.
key_cache_seconds: ContextVar[float] = ContextVar("key_cache_seconds", default=0.25)
# A clock that is read in coarse steps must not make the two meet.
MARGIN_SECONDS = 0.02


def wait_for_key_caches(change: Callable[P, R]) -> Callable[P, R]:
    """Makes a function that commits a change of a key return when no server has the key cached as it was before.

    A false result says that nothing was changed, so that nothing is waited for. Inside a transaction nothing is either:
    there the function that commits is the one to be decorated.
    """

    @wraps(change)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        result = change(*args, **kwargs)
        if result and not connection.in_transaction():
            wait()
        return result

    return whole


def wait() -> None:
    """Sleeps until what a server has cached before now is no longer used."""
    seconds = key_cache_seconds.get()
    if seconds > 0:
        time.sleep(seconds + MARGIN_SECONDS)
