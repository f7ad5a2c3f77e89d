"""How much slower an operation gets when there is a thousand times as much: medians, taken in turn on both sizes."""

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

# Collections, users, and tracks in the first collection, which must not be full: one is to be added.
SMALL, LARGE = (1_000, 10, 201), (1_000_000, 10_000, 9_999)
PAGE_OF_TRACKS = 200
MAX_RATIO = 1.5
ROUNDS = 150


class Place(NamedTuple):
    """A client of a server on a database of one size, and two of the collections that it owns."""

    client: httpx.Client
    full: str
    empty: str


Operation = Callable[[Place, int], httpx.Response]


def _made(place: Place, _number: int) -> httpx.Response:
    return place.client.post("collections", json={"name": "New"})


def _deleted(place: Place, number: int) -> httpx.Response:
    made = _made(place, number).json()["id"]
    return _timed(lambda: place.client.delete(f"collections/{made}"))


def _added(place: Place, number: int) -> httpx.Response:
    place.client.delete(f"{_tracks(place)}/{seed.track_id(number)}")
    return _timed(lambda: place.client.post(_tracks(place), json={"track_id": seed.track_id(number)}))


def _removed(place: Place, number: int) -> httpx.Response:
    answer = _timed(lambda: place.client.delete(f"{_tracks(place)}/{seed.track_id(number)}"))
    place.client.post(_tracks(place), json={"track_id": seed.track_id(number)})
    return answer


def _moved(place: Place, number: int) -> httpx.Response:
    return place.client.patch(f"collections/{place.full}/order", json={"ordered_track_ids": [seed.track_id(number)]})


def _timed(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Only this request counts: what leads up to it or cleans up after it is timed elsewhere."""
    started = time.perf_counter()
    answer = ask()
    answer.extensions["seconds"] = time.perf_counter() - started
    return answer


def _tracks(place: Place) -> str:
    return f"collections/{place.full}/tracks"


OPERATIONS: dict[str, Operation] = {
    "list_collections": lambda p, _: p.client.get("collections"),
    "create_collection": _made,
    "get_collection": lambda p, _: p.client.get(f"collections/{p.empty}"),
    "update_collection": lambda p, n: p.client.patch(f"collections/{p.empty}", json={"name": f"Name {n}"}),
    "delete_collection": _deleted,
    "list_collection_tracks": lambda p, _: p.client.get(_tracks(p), params={"limit": PAGE_OF_TRACKS}),
    "add_collection_track": _added,
    "remove_collection_track": _removed,
    "reorder_collection": _moved,
}


class Ratio(NamedTuple):
    """Medians in milliseconds, and how many times the small one the large one is."""

    operation: str
    small_ms: float
    large_ms: float

    @property
    def value(self) -> float:
        return self.large_ms / self.small_ms


def ratios(kind: str, folder: Path, progress: Progress, large: tuple[int, int, int] = LARGE) -> list[Ratio]:
    """Every operation's ratio on one kind of database."""
    with _place(kind, folder, SMALL, progress) as one, _place(kind, folder, large, progress) as other:
        return [_ratio(name, one, other, progress) for name in OPERATIONS]


def _ratio(name: str, small: Place, large: Place, progress: Progress) -> Ratio:
    operation, times = OPERATIONS[name], ([], [])  # type: tuple[Operation, tuple[list[float], list[float]]]
    task = progress.add_task(name, total=ROUNDS)
    for number in range(ROUNDS):
        for index in random.sample((0, 1), 2):
            times[index].append(_seconds(operation, (small, large)[index], number))
        progress.advance(task)
    progress.remove_task(task)
    small_ms, large_ms = (statistics.median(some) * 1000 for some in times)
    return Ratio(name, small_ms, large_ms)


def _seconds(operation: Operation, place: Place, number: int) -> float:
    started = time.perf_counter()
    answer = operation(place, number)
    seconds: float = answer.extensions.get("seconds", time.perf_counter() - started)
    assert answer.status_code in (200, 201), answer.text
    return seconds


@contextmanager
def _place(kind: str, folder: Path, size: tuple[int, int, int], progress: Progress) -> Iterator[Place]:
    collection_count, user_count, track_count = size
    with databases.fresh(kind, folder) as url:
        migrate.upgrade(url)
        task = progress.add_task(f"{kind}: {collection_count:,} collections", total=sum(size) + track_count)
        seed.fill(url, *size, lambda count: progress.advance(task, count))
        progress.remove_task(task)
        secret = new_key(url, seed.user(0))
        with running(url, folder, LOG_LEVEL="error") as server, server.client(secret) as client:
            yield Place(client, seed.collection_id(0), seed.collection_id(user_count))
