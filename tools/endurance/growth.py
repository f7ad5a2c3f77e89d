"""Ratio of the response times on a large and on a small database, as medians measured in turn."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from rich.progress import Progress

from models.db import migrate
from tools.testing import databases, seed
from tools.testing.server_process import new_key, running

# Collections, users, and tracks in the first collection, which must not be full.
SMALL, LARGE = (1_000, 10, 201), (1_000_000, 10_000, 9_999)
PAGE_OF_TRACKS = 200
MAX_RATIO = 1.5
ROUNDS = 150


class Target(NamedTuple):
    """A client of a server on a database of one size, and two of its collections."""

    client: httpx.Client
    full: str
    empty: str


Operation = Callable[[Target, int], httpx.Response]


def _create(target: Target, _number: int) -> httpx.Response:
    return target.client.post("collections", json={"name": "New"})


def _delete(target: Target, number: int) -> httpx.Response:
    made = _create(target, number).json()["id"]
    return _timed(lambda: target.client.delete(f"collections/{made}"))


def _add(target: Target, number: int) -> httpx.Response:
    target.client.delete(f"{_tracks(target)}/{seed.track_id(number)}")
    return _timed(lambda: target.client.post(_tracks(target), json={"track_id": seed.track_id(number)}))


def _remove(target: Target, number: int) -> httpx.Response:
    response = _timed(lambda: target.client.delete(f"{_tracks(target)}/{seed.track_id(number)}"))
    target.client.post(_tracks(target), json={"track_id": seed.track_id(number)})
    return response


def _move(target: Target, number: int) -> httpx.Response:
    return target.client.patch(f"collections/{target.full}/order", json={"ordered_track_ids": [seed.track_id(number)]})


def _timed(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Measures only this request, without its set-up and clean-up."""
    started = time.perf_counter()
    response = ask()
    response.extensions["seconds"] = time.perf_counter() - started
    return response


def _tracks(target: Target) -> str:
    return f"collections/{target.full}/tracks"


OPERATIONS: dict[str, Operation] = {
    "list_collections": lambda p, _: p.client.get("collections"),
    "create_collection": _create,
    "get_collection": lambda p, _: p.client.get(f"collections/{p.empty}"),
    "update_collection": lambda p, n: p.client.patch(f"collections/{p.empty}", json={"name": f"Name {n}"}),
    "delete_collection": _delete,
    "list_collection_tracks": lambda p, _: p.client.get(_tracks(p), params={"limit": PAGE_OF_TRACKS}),
    "add_collection_track": _add,
    "remove_collection_track": _remove,
    "reorder_collection": _move,
}


class Ratio(NamedTuple):
    """Medians in milliseconds on both databases, and their ratio."""

    operation: str
    small_ms: float
    large_ms: float

    @property
    def value(self) -> float:
        return self.large_ms / self.small_ms


def ratios(kind: str, folder: Path, progress: Progress, large: tuple[int, int, int] = LARGE) -> list[Ratio]:
    """The ratio of every operation on one kind of database."""
    with _target(kind, folder, SMALL, progress) as one, _target(kind, folder, large, progress) as other:
        return [_ratio(name, one, other, progress) for name in OPERATIONS]


def _ratio(name: str, small: Target, large: Target, progress: Progress) -> Ratio:
    operation, times = OPERATIONS[name], ([], [])  # type: tuple[Operation, tuple[list[float], list[float]]]
    task = progress.add_task(name, total=ROUNDS)
    for number in range(ROUNDS):
        for index in random.sample((0, 1), 2):
            times[index].append(_seconds(operation, (small, large)[index], number))
        progress.advance(task)
    progress.remove_task(task)
    small_ms, large_ms = (statistics.median(one) * 1000 for one in times)
    return Ratio(name, small_ms, large_ms)


def _seconds(operation: Operation, target: Target, number: int) -> float:
    started = time.perf_counter()
    response = operation(target, number)
    seconds: float = response.extensions.get("seconds", time.perf_counter() - started)
    assert response.status_code in (200, 201), response.text
    return seconds


@contextmanager
def _target(kind: str, folder: Path, size: tuple[int, int, int], progress: Progress) -> Iterator[Target]:
    collection_count, user_count, track_count = size
    with databases.fresh(kind, folder) as url:
        migrate.upgrade(url)
        task = progress.add_task(f"{kind}: {collection_count:,} collections", total=sum(size) + track_count)
        seed.fill(url, *size, lambda count: progress.advance(task, count))
        progress.remove_task(task)
        secret = new_key(url, seed.user(0))
        with running(url, folder, LOG_LEVEL="error") as server, server.client(secret) as client:
            yield Target(client, seed.collection_id(0), seed.collection_id(user_count))
