"""Concurrent requests for one resource: number of winners, effects and response times."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx

from models import tracks
from tools.endurance.load import names
from tools.endurance.report import Figure, at_most, exactly
from tools.testing.server_process import Running, connected
from tools.testing.service import ALICE, HOME

RACERS, ROUNDS = 24, 20
WRITERS, MOVES, MEMBERS = 16, 40, 30
MAX_MS = {"sqlite": 600.0, "postgresql": 250.0}
Ask = Callable[[httpx.Client, dict[str, str], int], httpx.Response]


def of_keys(server: Running, secret: str, kind: str) -> Iterator[Figure]:
    """Concurrent duplicates with one idempotency key."""
    statuses: Counter[int] = Counter()
    wanted = []
    with server.client(secret, 30) as client:
        for _ in range(ROUNDS):
            name = secrets.token_hex(8)
            wanted.append(name)
            headers = {"Idempotency-Key": name}

            def create(_: int, name: str = name, headers: dict[str, str] = headers) -> httpx.Response:
                return client.post("collections", json={"name": name}, headers=headers)

            statuses.update(_at_once(create))
    found = names(server.database_url)
    once = sum(found[name] == 1 for name in wanted)
    yield exactly(f"{RACERS} with one key: rounds that created one", kind, once, ROUNDS)
    yield exactly("responses other than 201 and 409", kind, sorted(set(statuses) - {201, 409}), [])


def of_versions(server: Running, secret: str, kind: str) -> Iterator[Figure]:
    """Concurrent changes with one entity tag."""
    ids = _made_tracks(server, RACERS + 3)
    with server.client(secret, 30) as client:
        for name, ask in _changes(ids).items():
            wins = [_winners(client, ids, ask) for _ in range(ROUNDS)]
            yield exactly(f"{RACERS} with one version, {name}: rounds with one winner", kind, wins.count(1), ROUNDS)


def of_moves(server: Running, secret: str, kind: str) -> Iterator[Figure]:
    """Concurrent moves in one collection without If-Match; all must succeed in time."""
    ids = _made_tracks(server, MEMBERS)
    with server.client(secret, 30) as client:
        path = _new(client, ids)
        before = _version(client, path)
        moves = _move_concurrently(client, path, ids)
        page = client.get(f"{path}/tracks", params={"limit": 500}).json()["items"]
        after = _version(client, path)
    took = sorted(seconds for _, seconds, _ in moves)
    effects = sum(1 for status, _, _ in moves if status == 200)
    yield exactly(f"{WRITERS} writers x {MOVES} moves: succeeded", kind, effects, WRITERS * MOVES)
    yield exactly("tracks that remain, each once", kind, len({item["track_id"] for item in page}), MEMBERS)
    yield exactly("positions dense", kind, [item["position"] for item in page] == list(range(MEMBERS)), True)
    yield Figure("versions given out", kind, str(after - before), f"<= {effects}", 0 < after - before <= effects)
    yield at_most("p99 of a move", kind, took[int(len(took) * 0.99)] * 1000, MAX_MS[kind], " ms")


def _move_concurrently(client: httpx.Client, path: str, ids: list[str]) -> list[tuple[int, float, str]]:
    start = threading.Barrier(WRITERS)

    def write(writer: int) -> list[tuple[int, float, str]]:
        chance, moves = random.Random(writer), []
        start.wait()
        for _ in range(MOVES):
            track, started = chance.choice(ids), time.monotonic()
            response = client.patch(f"{path}/order", json={"ordered_track_ids": [track]})
            moves.append((response.status_code, time.monotonic() - started, track))
        return moves

    with ThreadPoolExecutor(WRITERS) as pool:
        return [one for some in pool.map(write, range(WRITERS)) for one in some]


def _changes(ids: list[str]) -> dict[str, Ask]:
    return {
        "PATCH": lambda c, h, n: c.patch(h.pop("path"), json={"name": f"Name {n}"}, headers=h),
        "DELETE": lambda c, h, _: c.delete(h.pop("path"), headers=h),
        "order": lambda c, h, n: c.patch(
            h.pop("path") + "/order", json={"ordered_track_ids": [ids[1 + n % 2]]}, headers=h
        ),
        "add": lambda c, h, n: c.post(h.pop("path") + "/tracks", json={"track_id": ids[3 + n]}, headers=h),
        "remove": lambda c, h, n: c.delete(h.pop("path") + f"/tracks/{ids[n % 3]}", headers=h),
    }


def _winners(client: httpx.Client, ids: list[str], ask: Ask) -> int:
    path = _new(client, ids[:3])
    tag = f'"{_version(client, path)}"'
    statuses = _at_once(lambda number: ask(client, {"path": path, "If-Match": tag}, number))
    assert set(statuses) <= {200, 404, 412}, statuses
    return statuses[200]


def _at_once(ask: Callable[[int], httpx.Response]) -> Counter[int]:
    start = threading.Barrier(RACERS)

    def race(number: int) -> int:
        start.wait()
        return ask(number).status_code

    with ThreadPoolExecutor(RACERS) as pool:
        return Counter(pool.map(race, range(RACERS)))


def _new(client: httpx.Client, ids: list[str]) -> str:
    path = f"collections/{client.post('collections', json={'name': 'Race'}).json()['id']}"
    for track in ids:
        assert client.post(f"{path}/tracks", json={"track_id": track}).status_code == 200
    return path


def _version(client: httpx.Client, path: str) -> int:
    return int(client.get(path).headers["ETag"].strip('"'))


def _made_tracks(server: Running, count: int) -> list[str]:
    with connected(server.database_url):
        made = [tracks.add(HOME, ALICE, title="Rain") for _ in range(count)]
        return [one.id for one in made if one is not None]
