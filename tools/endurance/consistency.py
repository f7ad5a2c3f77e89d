"""Concurrent clients of two collections, what each asked and saw and when, and whether all of it fits together."""

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

# Half of them in each collection must fit on one page: two pages need not be of one moment.
TRACKS = 900
CLIENTS = 6


class Append(NamedTuple):
    """A track that was to be appended; `end` is when that was acknowledged, None if it never was."""

    collection: str
    track: str
    start: float
    end: float | None


class Read(NamedTuple):
    """A whole list as it was shown, and the version that it was shown under."""

    collection: str
    version: int
    order: tuple[str, ...]
    start: float
    end: float


@dataclass
class History:
    """`appended_only` is the collection whose tracks are never moved."""

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
    """What happens to the server meanwhile: it is killed and started again, and paused; and more, if given."""

    def __init__(self, server: Running, *, kills: int, pauses: int, more: Sequence[Callable[[], None]] = ()) -> None:
        kill: Callable[[], None] = partial(_killed, server)
        self.events = [kill] * kills + [partial(server.pause, 0.5)] * pauses + list(more)

    def happen(self, seconds: float) -> None:
        rest = seconds / (len(self.events) + 1)
        for event in self.events:
            time.sleep(rest)
            event()
        time.sleep(rest)


def record(server: Running, secret: str, chaos: Chaos, seconds: float) -> History:
    """Run the clients while there is chaos; every request is repeated until it is answered."""
    ids = _made_tracks(server, TRACKS)
    with server.client(secret) as client:
        names = [client.post("collections", json={"name": name}).json()["id"] for name in ("grows", "moves")]
    history, over = History(names[0]), threading.Event()
    shares = [ids[number::CLIENTS] for number in range(CLIENTS)]
    clients = [_Client(server, secret, history, names, share, over) for share in shares]
    threads = [threading.Thread(target=client.work, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    chaos.happen(seconds)
    over.set()
    for thread in threads:
        thread.join(60)
    server.await_ready()
    history.last = {name: clients[0].read(name) for name in names}
    for one in clients:
        one.close()
    return history


def require_consistent(history: History) -> None:
    """No acknowledged append is lost or doubled, a version is one list, and nobody sees the past after the present."""
    assert not history.unexpected, history.unexpected[:5]
    assert any(append.end for append in history.appends)
    for name, last in history.last.items():
        reads = sorted([read for read in history.reads if read.collection == name] + [last], key=lambda read: read.end)
        appends = [append for append in history.appends if append.collection == name]
        _require_appends(last, appends)
        _require_versions(reads)
        _require_no_past(reads, appends)
        if name == history.appended_only:
            _require_prefixes(reads)


def _require_appends(last: Read, appends: list[Append]) -> None:
    assert len(set(last.order)) == len(last.order), "a track is in twice"
    told, asked = {one.track for one in appends if one.end}, {one.track for one in appends}
    assert told <= set(last.order), f"lost: {told - set(last.order)}"
    assert set(last.order) <= asked, "a track came in that nobody added"


def _require_versions(reads: list[Read]) -> None:
    seen: dict[int, tuple[str, ...]] = {}
    for read in reads:
        assert seen.setdefault(read.version, read.order) == read.order, f"version {read.version} was two lists"
    ordered = [seen[version] for version in sorted(seen)]
    assert all(set(before) <= set(after) for before, after in pairwise(ordered)), "a later version had lost a track"


def _require_no_past(reads: list[Read], appends: list[Append]) -> None:
    newest = 0
    ended = sorted(reads, key=lambda read: read.end)
    for read in sorted(reads, key=lambda read: read.start):
        while ended and ended[0].end < read.start:
            newest = max(newest, ended.pop(0).version)
        assert read.version >= newest, f"version {read.version} was read after {newest} was"
        before = {one.track for one in appends if one.end and one.end < read.start}
        assert before <= set(read.order), "an append was acknowledged and then not seen"


def _require_prefixes(reads: list[Read]) -> None:
    for before, after in pairwise(sorted(reads, key=lambda read: read.version)):
        assert after.order[: len(before.order)] == before.order, "the order of what is only appended to has changed"


class _Client:
    """Appends its own tracks, moves any, and reads, in turn."""

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
        answer = self._asked("GET", f"{name}/tracks", params={"limit": 500})
        order: list[str] = [] if answer is None else [item["track_id"] for item in answer.json()["items"]]
        return Read(name, 0 if answer is None else int(answer.headers["ETag"].strip('"')), tuple(order), start,
                    time.monotonic())  # fmt: skip

    def _append(self, name: str, track: str) -> None:
        start = time.monotonic()
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        answer = self._asked("POST", f"{name}/tracks", json={"track_id": track}, headers=headers)
        self._history.appends.append(Append(name, track, start, None if answer is None else time.monotonic()))

    def _move(self) -> None:
        moved = self._chance.sample(self._own, min(3, len(self._own)))
        if self._asked("PATCH", f"{self._names[1]}/order", json={"ordered_track_ids": moved}) is not None:
            self._history.moves += 1

    def _asked(self, method: str, path: str, **content: Any) -> httpx.Response | None:
        """The answer, however often it takes; None when it was anything but a success."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                answer = self._client.request(method, f"collections/{path}", **content)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                return answer
            if answer.status_code not in RETRIED:
                self._history.unexpected.append(f"{method} {path}: {answer.status_code} {answer.text}")
                return None
            time.sleep(0.05)
        self._history.unexpected.append(f"{method} {path}: no answer")
        return None


def _killed(server: Running) -> None:
    server.kill()
    server.start()


def _made_tracks(server: Running, count: int) -> list[str]:
    with connected(server.database_url):
        made = [tracks.add(HOME, ALICE, title="Rain") for _ in range(count)]
        return [one.id for one in made if one is not None]
