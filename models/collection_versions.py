"""Versions of collections after a restore: above every version that the lost history has given out.

The entity tag of a collection is its version. A restored database would count from an older version on, so a tag of the
lost history would match other content: a 304 for it, or a change that If-Match should have refused. These statements
concern all owners, so only commands run them.
"""

import time

from sqlalchemy import bindparam, func, select, update

from models.base import BIGINT
from models.db import driver_errors, engines
from models.schema import collections

WAIT_SECONDS = 60
HIGHEST = select(func.max(collections.c.version))
RENEW = update(collections).values(version=bindparam("renewed", type_=BIGINT))


def renew(url: str, above: int = 0) -> int:
    """Gives all collections one new version and returns it: the time in microseconds since 1970, and above `above`.

    A collection that changes less than a million times a second stays below the next restore's. Raises Unavailable.
    """
    engine = engines.create_unpooled(url, wait_seconds=WAIT_SECONDS)
    with driver_errors.translate_errors(), engine.begin() as transaction:
        if engines.is_postgres(url):
            # The role may have one, and this writes every collection.
            transaction.exec_driver_sql("SET LOCAL statement_timeout = 0")
        highest = transaction.execute(HIGHEST).scalar() or 0
        renewed = max(time.time_ns() // 1000, highest + 1, above + 1)
        transaction.execute(RENEW, {"renewed": renewed})
    return renewed
