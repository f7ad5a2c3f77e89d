"""An id of somebody else costs SQLite what an unused one costs: no rows of others are passed, so no time reveals them.

The times themselves are compared by `python -m tools.bench.timing`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

import app
from settings import Settings
from tools.bench import data, timing_data, timing_requests
from tools.bench.timing import Line
from tools.testing import databases
from tools.testing.thread_server import serving
from web.contract import document
from web.contract.reading import VARIABLE, operations, path_pattern

NAMES = [request.name for request in timing_requests.tested_requests("", [""])]
IDS, TRIES = 3, 5


class Turns:
    """Counts the turns of every loop in SQLite's virtual machine, which calls its progress handler at each."""

    def __init__(self) -> None:
        self.count = 0

    def watch(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(self._add, 1)

    def _add(self) -> int:
        self.count += 1
        return 0  # goes on


class Scene:
    """A service with the ids of others, and what a request costs it."""

    def __init__(self, line: Line, loaded: data.Data, foreign: dict[str, list[str]], turns: Turns) -> None:
        tracks = [f"mtrack_{number:012x}" for number in range(12)]
        self.requests = {
            request.name: request for request in timing_requests.tested_requests(loaded.written[0], tracks)
        }
        self.foreign = foreign
        self._line, self._key, self._turns = line, loaded.writer, turns

    def cost(self, request: timing_requests.TestedRequest, id_: str) -> int:
        """The fewest turns of some tries: a key is looked up in only some of them."""
        return min(self._once(request.to_bytes(self._key, id_)) for _ in range(TRIES))

    def _once(self, raw: bytes) -> int:
        before = self._turns.count
        self._line.send(raw)
        return self._turns.count - before


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("foreign")
    turns = Turns()
    event.listen(Pool, "connect", turns.watch)
    try:
        with databases.fresh("sqlite", folder) as url:
            loaded = data.load(url)
            application = app.create_app(Settings(database_url=url, key_pepper=data.PEPPER, rate_limit="off"))
            with application.database.use():
                foreign = timing_data.foreign_ids(loaded.read)
            with serving(application) as address, closing(Line(urlsplit(address).port or 0)) as line:
                yield Scene(line, loaded, foreign, turns)
    finally:
        event.remove(Pool, "connect", turns.watch)


@pytest.mark.parametrize("name", NAMES)
def test_no_row_of_others_is_passed(scene: Scene, name: str) -> None:
    request = scene.requests[name]
    theirs = {scene.cost(request, id_) for id_ in scene.foreign[request.foreign][:IDS]}
    assert theirs == {scene.cost(request, request.unused()) for _ in range(IDS)}
    assert len(theirs) == 1


def test_turns_are_counted(scene: Scene) -> None:
    listing = timing_requests.TestedRequest("list", "GET", "?limit=100")
    assert scene.cost(listing, "") > scene.cost(timing_requests.TestedRequest("list", "GET", "?limit=1"), "") + 98


def test_every_operation_of_one_resource_is_compared() -> None:
    requests = list(timing_requests.tested_requests("mine", ["listed"]))
    asked = {(request.method, (request.at + request.path).partition("?")[0]) for request in requests}
    missing = {
        operation.id
        for operation in operations(document.document())
        if set(VARIABLE.findall(operation.path)) - {"organization_id"}
        and not any(
            operation.method == method and path_pattern(operation.path).fullmatch(path) for method, path in asked
        )
    }
    assert missing == set(), "add a request for each to tools/bench/timing_requests.py"
