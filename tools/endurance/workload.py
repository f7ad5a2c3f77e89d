"""Workload of the long runs: mostly reads, some updates, on a database that does not grow."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from models.db import migrate
from tools.bench.load import write_table
from tools.bench.workloads import Request
from tools.testing import databases, seed
from tools.testing.server_process import Running, new_key, running
from tools.testing.service import HOME

COLLECTIONS, USERS, TRACKS = 10_000, 100, 500
CALLERS, LENGTH = 20, 2000
LIST = f"/v1/music/{HOME}/collections"
# Connections of the load; more than a server of two workers has threads.
CONNECTIONS = 64


class Loaded(NamedTuple):
    """A running server, and the Lua file with the requests of the load."""

    server: Running
    requests: Path


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a filled database, and the file with its requests."""
    with databases.fresh(kind, folder) as url:
        migrate.upgrade(url)
        seed.fill(url, COLLECTIONS, USERS, TRACKS, lambda _count: None)
        secrets = [new_key(url, seed.user(number)) for number in range(CALLERS)]
        table = folder / "requests.lua"
        write_table(list(_requests(secrets)), table)
        yield url, table


@contextlib.contextmanager
def loaded(kind: str, folder: Path, workers: int) -> Iterator[Loaded]:
    """A server with so many workers on such a database."""
    with database(kind, folder) as (url, table), running(url, folder, workers=workers, LOG_LEVEL="error") as server:
        yield Loaded(server, table)


def _requests(secrets: list[str]) -> Iterator[Request]:
    """Of ten requests, six get a collection, two list collections, one lists tracks, and one updates a name."""
    chance = random.Random(1)
    for number in range(LENGTH):
        who = chance.randrange(CALLERS)
        own = f"{LIST}/{seed.collection_id(who + USERS * chance.randrange(COLLECTIONS // USERS))}"
        match number % 10:
            case 9:
                yield Request("PATCH", own, secrets[who], f'{{"name": "Name {number}"}}')
            case 8:
                yield Request("GET", f"{LIST}/{seed.collection_id(0)}/tracks?limit=50", secrets[0])
            case 6 | 7:
                yield Request("GET", f"{LIST}?limit=20", secrets[who])
            case _:
                yield Request("GET", own, secrets[who])
