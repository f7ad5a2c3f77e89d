"""Deployments on which the API tests run again: pgbouncer, partitioned tables, a replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from models.db import migrate
from tests.deployments.partitioned import create_tables
from tests.deployments.pooler import pooled, set_role_timeouts
from tests.deployments.replica import replicated
from tools.testing import databases

# Direct URL of a migrated, empty database, and the settings of a server on this deployment.
Target = tuple[str, dict[str, str]]


@contextmanager
def with_pooler(folder: Path) -> Iterator[Target]:
    """pgbouncer in transaction mode, for the migration too."""
    with databases.postgres_database() as url, pooled(url, folder) as through:
        set_role_timeouts(url)
        migrate.upgrade(through)
        yield url, {"DATABASE_URL": through, "PREPARED_STATEMENTS": "off"}


@contextmanager
def with_partitions(_folder: Path) -> Iterator[Target]:
    """Tables partitioned by organization."""
    with databases.postgres_database() as url:
        create_tables(url)
        yield url, {}


@contextmanager
def with_replica(_folder: Path) -> Iterator[Target]:
    """A replica by streaming replication, which serves GETs."""
    with replicated() as pair:
        migrate.upgrade(pair.primary.url)
        yield pair.primary.url, {"DATABASE_READ_URL": pair.replica.url}


TARGETS: dict[str, Callable[[Path], AbstractContextManager[Target]]] = {
    "pooled": with_pooler,
    "partitioned": with_partitions,
    "replicated": with_replica,
}
