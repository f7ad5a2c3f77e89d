"""Consistency check: records concurrent appends, moves and reads, and verifies that they form one history."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import httpx

from models import tracks
from tools.endurance.load import RETRIED
from tools.testing.server_process import Running, connected
from tools.testing.service import ALICE, HOME

# Half of the tracks must fit on one page, because two pages are not one snapshot.
TRACKS = 900
CLIENTS = 6


class Append(NamedTuple):
    """One append; `end` is the time of its acknowledgement, or None."""

    collection: str
    track: str
    start: float
    end: float | None


class Read(NamedTuple):
    """One complete list with its version."""

    collection: str
    version: int
    order: tuple[str, ...]
    start: float
    end: float


@dataclass
class History:
    """All operations; `appended_only` is the collection whose tracks are never moved."""

    appended_only: str
    appends: list[Append] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    last: dict[str, Read] = field(default_factory=dict)
    moves: int = 0
    unexpected: list[str] = field(default_factory=list)

    @property
    def operations(self) -> int:
        return len(self.appends) + len(self.reads) + self.moves


class Chaos:
    """Faults during the run: kills with restart, pauses, and further events."""

    def __init__(self, server: Running, *, kills: int, pauses: int, more: Sequence[Callable[[], None]] = ()) -> None:
        kill: Callable[[], None] = partial(_kill_and_restart, server)
        self.events = [kill] * kills + [partial(server.pause, 0.5)] * pauses + list(more)

    def run(self, seconds: float) -> None:
        rest = seconds / (len(self.events) + 1)
        for event in self.events:
            time.sleep(rest)
            event()
        time.sleep(rest)


def record(server: Running, secret: str, chaos: Chaos, seconds: float) -> History:
    """Runs the clients during the faults; every request is retried until it gets a response."""
    ids = _made_tracks(server, TRACKS)
    with server.client(secret) as client:
        names = [client.post("collections", json={"name": name}).json()["id"] for name in ("grows", "moves")]
    history, over = History(names[0]), threading.Event()
    shares = [ids[number::CLIENTS] for number in range(CLIENTS)]
    clients = [_Client(server, secret, history, names, share, over) for share in shares]
    threads = [threading.Thread(target=client.work, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    chaos.run(seconds)
    over.set()
    for thread in threads:
        thread.join(60)
    server.await_ready()
    history.last = {name: clients[0].read(name) for name in names}
    for one in clients:
        one.close()
    return history


def require_consistent(history: History) -> None:
    """No acknowledged append is lost or duplicated, a version is one list, and no read returns an older version."""
    assert not history.unexpected, history.unexpected[:5]
    assert any(append.end for append in history.appends)
    for name, last in history.last.items():
        reads = sorted([read for read in history.reads if read.collection == name] + [last], key=lambda read: read.end)
        appends = [append for append in history.appends if append.collection == name]
        _require_appends(last, appends)
        _require_versions(reads)
        _require_monotonic_reads(reads, appends)
        if name == history.appended_only:
            _require_prefixes(reads)


def _require_appends(last: Read, appends: list[Append]) -> None:
    assert len(set(last.order)) == len(last.order), "a track is in the list twice"
    acknowledged, sent = {one.track for one in appends if one.end}, {one.track for one in appends}
    assert acknowledged <= set(last.order), f"lost: {acknowledged - set(last.order)}"
    assert set(last.order) <= sent, "the list has a track that was never added"


def _require_versions(reads: list[Read]) -> None:
    seen: dict[int, tuple[str, ...]] = {}
    for read in reads:
        assert seen.setdefault(read.version, read.order) == read.order, f"version {read.version} has two lists"
    ordered = [seen[version] for version in sorted(seen)]
    assert all(set(before) <= set(after) for before, after in pairwise(ordered)), "a later version lacks a track"


def _require_monotonic_reads(reads: list[Read], appends: list[Append]) -> None:
    newest = 0
    ended = sorted(reads, key=lambda read: read.end)
    for read in sorted(reads, key=lambda read: read.start):
        while ended and ended[0].end < read.start:
            newest = max(newest, ended.pop(0).version)
        assert read.version >= newest, f"version {read.version} was read after version {newest}"
        before = {one.track for one in appends if one.end and one.end < read.start}
        assert before <= set(read.order), "an acknowledged append is missing from a later read"


def _require_prefixes(reads: list[Read]) -> None:
    for before, after in pairwise(sorted(reads, key=lambda read: read.version)):
        assert after.order[: len(before.order)] == before.order, "the order of the append-only collection has changed"


class _Client:
    """Appends its own tracks, reads, and moves tracks, in turn."""

    def __init__(
        self, server: Running, secret: str, history: History, names: list[str], own: list[str], over: threading.Event
    ) -> None:
        self._client, self._history, self._names, self._own = server.client(secret), history, names, own
        self._over, self._chance = over, random.Random(own[0])

    def close(self) -> None:
        self._client.close()

    def work(self) -> None:
        left = list(self._own)
        while not self._over.is_set():
            name = self._chance.choice(self._names)
            if left:
                self._append(name, left.pop())
            self._history.reads.append(self.read(name))
            self._move()

    def read(self, name: str) -> Read:
        start = time.monotonic()
        response = self._send("GET", f"{name}/tracks", params={"limit": 500})
        order: list[str] = [] if response is None else [item["track_id"] for item in response.json()["items"]]
        return Read(name, 0 if response is None else int(response.headers["ETag"].strip('"')), tuple(order), start,
                    time.monotonic())  # fmt: skip

    def _append(self, name: str, track: str) -> None:
        start = time.monotonic()
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        response = self._send("POST", f"{name}/tracks", json={"track_id": track}, headers=headers)
        self._history.appends.append(Append(name, track, start, None if response is None else time.monotonic()))

    def _move(self) -> None:
        moved = self._chance.sample(self._own, min(3, len(self._own)))
        if self._send("PATCH", f"{self._names[1]}/order", json={"ordered_track_ids": moved}) is not None:
            self._history.moves += 1

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response | None:
        """Sends the request until it gets a response; None if it is not a 200."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                response = self._client.request(method, f"collections/{path}", **content)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if response.status_code == 200:
                return response
            if response.status_code not in RETRIED:
                self._history.unexpected.append(f"{method} {path}: {response.status_code} {response.text}")
                return None
            time.sleep(0.05)
        self._history.unexpected.append(f"{method} {path}: no response")
        return None


def _kill_and_restart(server: Running) -> None:
    server.kill()
    server.start()


def _made_tracks(server: Running, count: int) -> list[str]:
    with connected(server.database_url):
        made = [tracks.add(HOME, ALICE, title="Rain") for _ in range(count)]
        return [one.id for one in made if one is not None]
