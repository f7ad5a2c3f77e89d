"""Malformed and hostile requests: each has exactly one allowed response."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile import bodies, fields, framing, length, paths, queries
from tools.testing.cases import COLLECTION, KEY, LIVE, PAUSED_KEY, READERS_KEY, STRANGERS_KEY, TRACK, Case, get
from tools.testing.raw_client import RawClient, address, mismatches
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
# Limit for a busy machine; an idle one takes a tenth of it.
MAX_WAIT_SECONDS = 1.5


@pytest.fixture
def words(actors: Actors) -> dict[bytes, bytes]:
    """Values of the placeholders, each of the same length."""
    service = actors.service
    collection = new_collection(service.client(actors.secrets["alice"]))["id"]
    paused = service.key("user_paused", state="paused")[1]
    reader = service.key("user_reader", HOME, (READ,))[1]
    words = {KEY: actors.secrets["alice"], STRANGERS_KEY: actors.secrets["mallory"], READERS_KEY: reader}
    words |= {PAUSED_KEY: paused, COLLECTION: collection, TRACK: actors.tracks[0]}
    assert all(len(placeholder) == len(word) for placeholder, word in words.items())
    return {placeholder: word.encode() for placeholder, word in words.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_malformed_request_gets_the_expected_response(group: str, server: Service, words: dict[bytes, bytes]) -> None:
    with _liveness_probes(server) as waits:
        found = {case.title: wrong for case in GROUPS[group] if (wrong := mismatches(case, address(server), words))}
    assert not found, "\n".join(
        f"{title}: expected {_expected(group, title)}, {wrong}" for title, wrong in found.items()
    )
    assert max(waits) < MAX_WAIT_SECONDS, f"one request blocked the server for {max(waits):.3f} s"
    assert not (lines := list(_invalid_log_lines(server))), f"log lines that are not a JSON object: {lines[:5]}"


def test_corpus_has_300_cases_with_unique_titles() -> None:
    assert sum(map(len, GROUPS.values())) >= 300
    for group, cases in GROUPS.items():
        titles = [case.title for case in cases]
        assert len(set(titles)) == len(titles), f"{group}: {sorted(t for t in titles if titles.count(t) > 1)}"


@contextlib.contextmanager
def _liveness_probes(server: Service) -> Iterator[list[float]]:
    """Requests liveness every 20 ms; yields the response times in seconds."""
    waits, done = [0.0], threading.Event()

    def ask() -> None:
        with RawClient(address(server)) as client:
            while not done.wait(0.02):
                started = time.perf_counter()
                client.send(get(LIVE))
                assert client.response().status == 200
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


def _invalid_log_lines(server: Service) -> Iterator[str]:
    """Log lines that are not a JSON object, except the start-up line."""
    for line in server.log_text().splitlines():
        try:
            valid = isinstance(json.loads(line), dict)
        except ValueError:
            valid = line.startswith("Music Studio listens on ")
        if not valid:
            yield line
