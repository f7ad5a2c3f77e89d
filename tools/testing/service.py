"""The service under test: a server process, users with keys, clients, and direct access to its database."""

import contextlib
import contextvars
import copy
import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

import settings as environment
from models import keys, library, organizations, revocation, schema
from models import tracks as models_tracks
from models.audio_store import AudioStore
from models.base import metadata, new_id, now
from models.db import circuit_breaker, connection, engines
from models.db.database import Database
from models.focus_tables import focus_sessions
from models.generation_tables import active_jobs, generations
from models.schema import collection_tracks, collections, library_entries, tracks
from models.share_tables import share_links
from settings import Settings
from tools.testing import contract_coverage, databases, fork_server, reference_jobs
from tools.testing.fork_server import Forked
from web.contract import document as contract
from web.contract import reading
from web.contract.reading import OperationObject
from web.contract.schemas import Validator

ROOT = Path(__file__).resolve().parents[2]
HOME, AWAY = "org_home1", "org_away1"
ALICE, BOB, MALLORY = "user_alice", "user_bob", "user_mallory"
PEOPLE = {"alice": (ALICE, HOME), "bob": (BOB, HOME), "mallory": (MALLORY, AWAY)}
READ, WRITE = "music:read", "music:write"
PEPPER = "pepper-of-the-tests-of-32-bytes-or-more"
NO_COLLECTION = "mcoll_000000000000"
NO_TRACK = "mtrack_000000000000"
NO_JOB = "mjob_000000000000"
NO_SHARE = "mslink_000000000000"
NO_TOKEN = "shr_00000000000000000000000000000000"
NO_SESSION = "mfocus_000000000000"
START_SECONDS = 30
PROGRAM = ("-m", "cli")
# Texts in the log that mean a fault of the service.
FAULTS = ("unexpected failure", "Traceback", "breaks the contract", "undocumented status", "ASGI callable")
# Tables that operators and background tasks write, not requests.
OPERATOR_TABLES = {"api_keys", "key_events"}
SNAPSHOT = (
    select(collections).where(collections.c.id == bindparam("id")),
    select(collection_tracks).where(collection_tracks.c.collection_id == bindparam("id")),
    select(func.count(), func.count(collections.c.deleted_at), func.sum(collections.c.version)).select_from(
        collections
    ),
    select(func.count(), func.sum(collection_tracks.c.rank)).select_from(collection_tracks),
    select(func.count(tracks.c.deleted_at)),
    select(func.count(library_entries.c.removed_at), func.max(library_entries.c.saved_at)),
    select(generations.c.status, func.count()).group_by(generations.c.status).order_by(generations.c.status),
    select(func.sum(active_jobs.c.job_count)),
    select(focus_sessions.c.status, func.count()).group_by(focus_sessions.c.status).order_by(focus_sessions.c.status),
    *(select(func.count()).select_from(table) for table in metadata.sorted_tables if table.name not in OPERATOR_TABLES),
)
# For tests that do not depend on the database.
ON_ONE_DATABASE = pytest.mark.parametrize("actors", ["sqlite"], indirect=True)
# For tests that depend on the database, or on several servers with one database.
ON_DATABASES = pytest.mark.parametrize("actors", databases.KINDS, indirect=True)


class Service:
    """A running server and its database; `expected` are the faults that tests provoke on purpose."""

    def __init__(
        self,
        url: str,
        folder: Path,
        settings: Mapping[str, str],
        expected: Sequence[str] = (),
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.database_url = url
        self.settings = settings
        self.audio_url = _audio(url, folder).get("AUDIO_URL") or environment.audio_url(Settings(database_url=url))
        self.expected = expected
        self.log = folder / f"server-{secrets.token_hex(4)}.log"
        self.process = self._start(
            {"DATABASE_URL": url, "RATE_LIMIT": "off", **_audio(url, folder), **settings}, program
        )
        self.url = announced_url(self.process, self.log)
        self._clients: list[httpx.Client] = []
        self._reader = engines.create_pooled(url, pool_size=1, statement_timeout_ms=5000)
        self._database: Database | None = None

    def _start(self, settings: Mapping[str, str], program: Sequence[str]) -> subprocess.Popen[bytes] | Forked:
        self.log.touch()
        if program == PROGRAM and "WORKERS" not in settings:  # workers are spawned processes
            return fork_server.start(("serve", "--port", "0"), _environment(settings), ROOT, self.log)
        with self.log.open("wb") as file:
            words = [sys.executable, *program, "serve", "--port", "0"]
            return subprocess.Popen(words, cwd=ROOT, env=_environment(settings), stdout=file, stderr=file)

    def client(self, secret: str | None = None, organization: str = HOME) -> httpx.Client:
        """A client with the base URL of an organization; it is closed with the server."""
        made = httpx.Client(
            base_url=f"{self.url}/v1/music/{organization}/",
            headers={} if secret is None else {"X-API-Key": secret},
            timeout=30,
            trust_env=False,
            event_hooks={"response": [contract_coverage.count_response]},
            verify=False,  # noqa: S501 - no TLS here, and loading certificates takes longer than a request
        )
        self._clients.append(made)
        return made

    def terminate(self) -> None:
        """Closes the clients and sends SIGTERM."""
        for client in self._clients:
            client.close()
        self._reader.dispose()
        if self._database is not None:
            self._database.close()
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Waits for the exit, which must have status 0; the log must hold no unexpected fault."""
        status = self.process.wait(30)
        assert status == 0, f"the server ended with status {status}:\n{self.log_text()[-4000:]}"
        assert not (found := self.faults()), "the server's log holds faults:\n" + "\n".join(found)[:8000]

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_log(self, text: str, seconds: float = 5) -> str:
        """The log once it contains `text`, because lines are written after the response; or as it is in the end."""
        deadline = time.monotonic() + seconds
        while text not in (log := self.log_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return log

    def log_lines(self, trace_id: str) -> list[dict[str, Any]]:
        """The access log lines of a request; they are written after the response."""
        deadline = time.monotonic() + 5
        found: list[dict[str, Any]] = []
        while not found and time.monotonic() < deadline:
            lines = [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]
            found = [line for line in lines if line.get("trace_id") == trace_id]
        return found

    def faults(self) -> list[str]:
        unexpected = [fault for fault in FAULTS if fault not in self.expected]
        return [line for line in self.log_text().splitlines() if any(fault in line for fault in unexpected)]

    @contextlib.contextmanager
    def use_database(self) -> Iterator[None]:
        """Makes the server's database the current one of `models` in this process."""
        if self._database is None:
            self._database = Database(self.database_url, pool_size=2)
        revocation.key_cache_seconds.set(0.0)  # servers under test cache no key
        with self._database.use():
            yield

    @contextlib.contextmanager
    def blocked_writes(self) -> Iterator[Connection]:
        """Locks out every write to collections."""
        engine = engines.create_unpooled(self.database_url, wait_seconds=5)
        with engine.connect() as holder:
            lock = "LOCK TABLE collections IN SHARE ROW EXCLUSIVE MODE"
            holder.exec_driver_sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else lock)
            yield holder
            holder.rollback()
        engine.dispose()
        time.sleep(circuit_breaker.PROBE_SECONDS)  # until the circuit breaker of the server sends its next probe

    def key(
        self,
        user: str,
        organization: str = HOME,
        scopes: Sequence[str] = (READ, WRITE),
        *,
        state: str = "active",
        expires_at: datetime | None = None,
        rate_limit: str | None = None,
    ) -> tuple[str, str]:
        """The id and the secret of a new key; its user joins the organization."""
        with self.use_database():
            organizations.join(organization, user)
            made, secret = keys.make(
                organization, user, scopes, expires_at, pepper=PEPPER.encode(), rate_limit=rate_limit
            )
            if state != made.state:
                keys.set_state(made.id, state)
        return made.id, secret

    def load_demo(self) -> dict[str, str]:
        """Loads the demo data; returns the key of each of its users."""
        command = [sys.executable, "-m", "cli", "demo", "--json", "--database-url", self.database_url]
        environment = {"MUSIC_STUDIO_KEY_PEPPER": PEPPER, "MUSIC_STUDIO_DEMO_AUDIO": "tone", "PATH": ""}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return {name: user["api_key"] for name, user in json.loads(done.stdout)["users"].items()}

    def expired_key(self, user: str) -> str:
        return self.key(user, expires_at=now() - timedelta(seconds=1))[1]

    def set_state(self, key_id: str, state: str) -> None:
        with self.use_database():
            assert keys.set_state(key_id, state)

    def make_tracks(self, count: int, organization: str = HOME, creator: str = ALICE) -> list[str]:
        """Inserts tracks; returns their ids."""
        rows = [_track(organization, creator) for _ in range(count)]
        with self.use_database():
            organizations.join(organization, creator)
            self._write(schema.tracks, rows)
        return [str(row["id"]) for row in rows]

    def give_audio(self, track_id: str, content: bytes, organization: str = HOME) -> None:
        """Stores audio of a minute, and gives it to a track."""
        stored = AudioStore(self.audio_url).write_bytes(organization, track_id, "audio/mpeg", content)
        with self.use_database():
            track = models_tracks.find(organization, track_id)
            assert track is not None
            assert models_tracks.attach_audio(track, stored, 60_000) is not None

    def save_track(self, track_id: str, user: str, organization: str = HOME, track_organization: str = HOME) -> str:
        """Puts a track into a member's library, also one of another organization; returns the id of the entry."""
        with self.use_database():
            found = models_tracks.find(track_organization, track_id)
            assert found is not None
            return library.put(organization, user, found).id

    def forget_links(self, user: str) -> None:
        """Deletes the share links of a user."""
        with self.use_database():
            connection.execute(delete(share_links).where(share_links.c.user_id == user))

    def forget_jobs(self, user: str) -> None:
        """Cancels and deletes the jobs of a user."""
        with self.use_database():
            reference_jobs.forget(HOME, user)

    def advance(self, user: str, job_id: str, step: str) -> str | None:
        """Lets a worker do a step with a job; the id of the track that it makes, or None."""
        with self.use_database():
            return reference_jobs.advance(HOME, user, job_id, step)

    def write(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        """Inserts rows directly into the database."""
        with self.use_database():
            self._write(table, rows)

    def _write(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        connection.transaction(lambda: connection.execute_many(insert(table), rows))()

    def alter(self, collection_id: str, **values: object) -> None:
        """Updates a collection's row directly in the database."""
        with self.use_database():
            connection.execute(update(collections).where(collections.c.id == collection_id).values(**values))

    def age(self, collection_id: str) -> str:
        """Sets the timestamps of a collection to the returned one, so that an update in the same second is visible."""
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        self.alter(collection_id, created_at=long_ago, updated_at=long_ago)
        return "2020-01-01T00:00:00Z"

    def fill(self, collection_id: str, track_ids: Sequence[str]) -> None:
        """Inserts many tracks into an empty collection of alice's, directly in the database."""
        own = {"organization_id": HOME, "owner_id": ALICE, "collection_id": collection_id, "added_at": now()}
        self.write(collection_tracks, [own | {"track_id": track, "rank": i << 20} for i, track in enumerate(track_ids)])
        self.alter(collection_id, track_count=len(track_ids))

    def snapshot(self, collection_id: str) -> list[str]:
        """State that a request can change: one collection's row, and counts and sums over all tables."""
        with self._reader.connect() as reader:
            return [repr(reader.execute(query, {"id": collection_id}).all()) for query in SNAPSHOT]


class Actors(NamedTuple):
    """The service on one database, with the keys of its users and the ids of its tracks."""

    service: Service
    secrets: dict[str, str]
    tracks: list[str]
    foreign_track: str


Target = Callable[[Path], contextlib.AbstractContextManager[tuple[str, Mapping[str, str]]]]


class Services:
    """The servers of a test session, each started on first use.

    `targets` are deployments beside the kinds of databases: each gives a database URL and settings for a server.
    """

    def __init__(self, folder: Path, targets: Mapping[str, Target] | None = None) -> None:
        self.folder = folder
        self._targets = targets or {}
        self._stack = contextlib.ExitStack()
        self._started: list[Service] = []
        self._actors: dict[str, Actors] = {}
        self._variants: dict[object, Service] = {}

    def actors(self, kind: str) -> Actors:
        if kind not in self._actors:
            self._actors[kind] = _populated(self._start_on(kind))
        return self._actors[kind]

    def _start_on(self, kind: str) -> Service:
        if kind not in self._targets:
            return self.start(self.fresh_database(kind))
        url, settings = self._stack.enter_context(self._targets[kind](self.folder))
        return self.start(url, **settings)

    def fresh_database(self, kind: str) -> str:
        """The URL of a new migrated, empty database."""
        return self._stack.enter_context(databases.migrated(kind, self.folder))

    def start(
        self, database_url: str, *, expected: Sequence[str] = (), program: Sequence[str] = PROGRAM, **settings: str
    ) -> Service:
        """Starts another server, which ends with the session."""
        service = Service(database_url, self.folder, settings, expected, program)
        self._started.append(service)
        self._stack.callback(service.stop)
        return service

    def variant(self, of: Service, **settings: str) -> Service:
        """A server with other settings on the same database; one per combination of settings."""
        name = (of.database_url, *sorted(settings.items()))
        if name not in self._variants:
            self._variants[name] = self.start(of.database_url, **{**of.settings, **settings})
        return self._variants[name]

    def close(self) -> None:
        for service in self._started:
            service.terminate()
        self._stack.close()


def _populated(service: Service) -> Actors:
    secret = {name: service.key(*person)[1] for name, person in PEOPLE.items()}
    return Actors(service, secret, service.make_tracks(12), service.make_tracks(1, AWAY, MALLORY)[0])


def _audio(url: str, folder: Path) -> dict[str, str]:
    """The audio of a database on PostgreSQL; that of a file lies beside it."""
    return {} if url.startswith("sqlite") else {"AUDIO_URL": (folder / "audio").as_uri()}


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The given settings only; servers under test cache no key, stop after 1 s, and let users have many jobs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MUSIC_STUDIO_")}
    quick = {"KEY_CACHE_SECONDS": "0", "SHUTDOWN_TIMEOUT_SECONDS": "1", "MAX_ACTIVE_JOBS": "10000"}
    given = {"LOG_FORMAT": "json", "KEY_PEPPER": PEPPER, "WORKERS_STUDIO": "0", **quick, **settings}
    return own | {f"MUSIC_STUDIO_{name}": value for name, value in given.items()}


def announced_url(process: subprocess.Popen[bytes] | Forked, log: Path) -> str:
    """The URL that a starting server writes to its log."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listens on (http://\S+)", log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def _track(organization: str, creator: str) -> dict[str, object]:
    return {
        "organization_id": organization,
        "id": new_id("mtrack_"),
        "creator_id": creator,
        "title": "A track of the tests",
        "engine": "import",
        "mode": "creation",
        "instrumental": False,
        "licence_class": "unclear",
        "commercial_use": False,
        "requires_attribution": True,
        "created_at": now(),
    }


def new_collection(client: httpx.Client, **fields: object) -> dict[str, Any]:
    """Creates a collection with this client."""
    response = client.post("collections", json={"name": "Test"} | fields)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def add_all(client: httpx.Client, collection_id: str, track_ids: Sequence[str]) -> None:
    for track_id in track_ids:
        response = client.post(f"collections/{collection_id}/tracks", json={"track_id": track_id})
        assert response.status_code == 200, response.text


def order_of(client: httpx.Client, collection_id: str) -> list[str]:
    """The track ids of a collection of at most 500, whose positions must be dense."""
    response = client.get(f"collections/{collection_id}/tracks", params={"limit": 500})
    assert response.status_code == 200, response.text
    items = response.json()["items"]
    assert [item["position"] for item in items] == list(range(len(items)))
    return [item["track_id"] for item in items]


def violations(response: httpx.Response) -> set[tuple[str, str]]:
    """(pointer, code) of every violation in a 422."""
    assert response.status_code == 422, f"{response.status_code} {response.text}"
    return {(found["pointer"], found["code"]) for found in response.json()["error"]["details"]["errors"]}


def raw(service: Service, *pieces: bytes, timeout: float = 15) -> httpx.Response:
    """The response to raw bytes."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as opened:
        for piece in pieces:
            opened.sendall(piece)
        response = http.client.HTTPResponse(opened)
        response.begin()
        content = response.read()
        contract_coverage.count_raw_exchange(b"".join(pieces), response.status, content)
        return httpx.Response(response.status, headers=response.getheaders(), content=content)


def at_once(count: int, work: Any) -> list[Any]:
    """The results of work(0), work(1), ..., run concurrently in threads."""
    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(contextvars.copy_context().run, work, number) for number in range(count)]
        return [call.result() for call in calls]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = contract.lookup(contract.document(), node)
    return found


@cache
def operations() -> tuple[OperationObject, ...]:
    """Every operation of the contract."""
    return tuple(reading.operations(contract.document()))


def operation_of(method: str, path: str) -> OperationObject | None:
    """The operation of a request, or None."""
    wanted = "GET" if method == "HEAD" else method
    found = (o for o in operations() if o.method == wanted and reading.path_pattern(o.path).fullmatch(path))
    return next(found, None)


ENVELOPE = ["success", "error"]
ERROR = ["code", "message", "system_message", "type", "status", "details", "trace_id", "timestamp"]


def assert_envelope(response: httpx.Response, code: str, request: tuple[str, str] | None = None) -> dict[str, Any]:
    """Checks an error response against the contract; returns its `error` object.

    `request` is (method, path) where the response does not have it. Without an operation for it, only the catalog
    must have the code.
    """
    row = contract.document()["components"]["schemas"]["ErrorCode"]["x-errors"][code]
    assert response.status_code == row["status"], f"{response.status_code} {response.text}"
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert list(body) == ENVELOPE
    assert body["success"] is False
    error: dict[str, Any] = body["error"]
    assert list(error) == ERROR
    assert (error["code"], error["status"], error["type"], error["message"]) == (
        code, row["status"], row["type"], row["message"],
    )  # fmt: skip
    assert error["trace_id"] == response.headers["X-Request-ID"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(error["timestamp"])) < timedelta(seconds=30)
    found = list(envelope_rules().violations(body))
    assert not found, f"{found} in {body}"
    operation = operation_of(*(request or (response.request.method, response.request.url.path)))
    assert operation is None or code in operation.error_codes(response.status_code), (
        f"{operation.id} responded with {code}, which its documentation does not show under {row['status']}."
    )
    return error


@cache
def envelope_rules() -> Validator:
    """The schema of the error envelope; a name in `details` that the contract does not declare is a violation here."""
    document = copy.deepcopy(contract.document())
    document["components"]["schemas"]["ErrorDetails"]["additionalProperties"] = False
    return Validator({"$ref": "#/components/schemas/ErrorEnvelope"}, document)
