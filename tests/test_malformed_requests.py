"""Whatever is sent, the answer is the contract's: hundreds of hostile requests, each with the one outcome allowed."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile import bodies, fields, framing, length, paths, queries
from tools.testing.cases import COLLECTION, KEY, LIVE, PAUSED_KEY, READERS_KEY, STRANGERS_KEY, TRACK, Case, get
from tools.testing.raw_client import Line, address, wrongs
from tools.testing.service import HOME, READ, Actors, Service, new_collection

GROUPS: dict[str, list[Case]] = {
    "wire": framing.CASES,
    "length": length.CASES,
    "paths": paths.PATHS,
    "methods": paths.METHODS,
    "credentials": fields.CREDENTIALS,
    "headers": fields.HEADERS,
    "queries": queries.CASES,
    "media types": bodies.MEDIA_TYPES,
    "JSON texts": bodies.JSON_TEXTS,
    "values": bodies.VALUES,
}
# A limit for a busy machine; on an idle one the longest wait is a tenth of it.
MAX_WAIT_SECONDS = 1.5


@pytest.fixture
def words(actors: Actors) -> dict[bytes, bytes]:
    """What stands in for the placeholders, and is as long as they are."""
    service = actors.service
    collection = new_collection(service.client(actors.secrets["alice"]))["id"]
    paused = service.key("user_paused", state="paused")[1]
    reader = service.key("user_reader", HOME, (READ,))[1]
    words = {KEY: actors.secrets["alice"], STRANGERS_KEY: actors.secrets["mallory"], READERS_KEY: reader}
    words |= {PAUSED_KEY: paused, COLLECTION: collection, TRACK: actors.tracks[0]}
    assert all(len(placeholder) == len(word) for placeholder, word in words.items())
    return {placeholder: word.encode() for placeholder, word in words.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_a_hostile_request_has_its_one_answer(group: str, server: Service, words: dict[bytes, bytes]) -> None:
    with _asking_for_liveness(server) as waits:
        found = {case.title: wrong for case in GROUPS[group] if (wrong := wrongs(case, address(server), words))}
    assert not found, "\n".join(
        f"{title}: expected {_expected(group, title)}, {wrong}" for title, wrong in found.items()
    )
    assert max(waits) < MAX_WAIT_SECONDS, f"one input held the server for {max(waits):.3f} s"
    assert not (lines := list(_illegible(server))), f"log lines that are no JSON object: {lines[:5]}"


def test_the_corpus_is_large_and_says_everything_once() -> None:
    assert sum(map(len, GROUPS.values())) >= 300
    for group, cases in GROUPS.items():
        titles = [case.title for case in cases]
        assert len(set(titles)) == len(titles), f"{group}: {sorted(t for t in titles if titles.count(t) > 1)}"


@contextlib.contextmanager
def _asking_for_liveness(server: Service) -> Iterator[list[float]]:
    """Asks every 20 ms whether the service lives; how long each answer took, in seconds."""
    waits, done = [0.0], threading.Event()

    def ask() -> None:
        with Line(address(server)) as line:
            while not done.wait(0.02):
                started = time.perf_counter()
                line.say(get(LIVE))
                assert line.answer().status == 200
                waits.append(time.perf_counter() - started)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield waits
        finally:
            done.set()
            asking.result()


def _expected(group: str, title: str) -> str:
    outcome = next(case.outcome for case in GROUPS[group] if case.title == title)
    return f"{outcome.status} {outcome.code}{', closing' if outcome.closes else ''}"


def _illegible(server: Service) -> Iterator[str]:
    """Log lines that are not one JSON object; the announcement of the address is for people."""
    for line in server.log_text().splitlines():
        try:
            legible = isinstance(json.loads(line), dict)
        except ValueError:
            legible = line.startswith("Music Studio listens on ")
        if not legible:
            yield line
