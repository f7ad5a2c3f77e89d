"""How long a server may go on believing what it knows of a key, and how a change of a key outlasts all such beliefs."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from models.db import connection

P = ParamSpec("P")
R = TypeVar("R")

KEY_CACHE_SECONDS = 0.25
# More than the lease, so that a clock that is read in coarse steps cannot make the two meet.
_WAIT_SECONDS = KEY_CACHE_SECONDS + 0.02


def wait_for_key_caches(change: Callable[P, R]) -> Callable[P, R]:
    """Makes a function that commits a change of a key return when no server knows the key as it was before.

    A false result says that nothing was changed, so that nothing is waited for. Inside a transaction nothing is either:
    there the function that commits is the one to be decorated.
    """

    @wraps(change)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        result = change(*args, **kwargs)
        if result and not connection.in_transaction():
            time.sleep(_WAIT_SECONDS)
        return result

    return whole
