"""Further ways to run the service, on which the tests of the API are repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from models.db import migrate
from tests.deployments.partitioned import make_tables
from tests.deployments.pooler import limit_role, pooled
from tests.deployments.replica import replicated
from tools.testing import databases

# The URL of a database with tables and without rows, past whatever stands before it, and the settings of a server.
Place = tuple[str, dict[str, str]]


@contextmanager
def behind_a_pooler(folder: Path) -> Iterator[Place]:
    """All goes through pgbouncer in transaction mode, the migration too."""
    with databases.postgres_database() as url, pooled(url, folder) as through:
        limit_role(url)
        migrate.upgrade(through)
        yield url, {"DATABASE_URL": through, "PREPARED_STATEMENTS": "off"}


@contextmanager
def spread(_folder: Path) -> Iterator[Place]:
    """As on many nodes: the tables are in parts, by organization."""
    with databases.postgres_database() as url:
        make_tables(url)
        yield url, {}


@contextmanager
def with_a_replica(_folder: Path) -> Iterator[Place]:
    """GETs may be answered by a copy that follows by streaming replication."""
    with replicated() as pair:
        migrate.upgrade(pair.primary.url)
        yield pair.primary.url, {"DATABASE_READ_URL": pair.copy.url}


PLACES: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "pooled": behind_a_pooler,
    "spread": spread,
    "replicated": with_a_replica,
}
