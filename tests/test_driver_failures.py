"""Every exception of every database driver, at every call: 503 for the database's, 500 for a bug, and no lost slot."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
import structlog
from sqlalchemy import func, select

import app
from models import collections, keys, organizations
from models.db import connection
from models.db.database import Database
from settings import Settings
from tools.testing import databases, failing_drivers
from tools.testing.callers import HOME, caller
from tools.testing.failing_drivers import BEGIN, CLOSE, COMMIT, CONNECT, DRIVERS, ROLLBACK, Fault
from web.application import Application
from web.asgi import Message
from web.security.key_usage import KeyUsageRecorder

pytestmark = pytest.mark.slow

OWNER = caller("alice", HOME)
PEPPER = "p" * 32
COUNT = select(func.count().label("rows")).select_from(collections.collections)


class Request(NamedTuple):
    """A request, and its status without a fault."""

    method: str
    path: str
    status: int
    body: dict[str, str] | None = None
    keyed: bool = False


GET = Request("GET", "/v1/music/org_home/collections", 200)
POST = Request("POST", "/v1/music/org_home/collections", 201, {"name": "Planted"})
KEYED = POST._replace(keyed=True)
REFUSED = Request("POST", "/v1/music/org_home/collections/{id}/tracks", 404, {"track_id": "mtrack_000000000000"})
READY = Request("GET", "/v1/health/ready", 200)

# Where the exception is raised: the request, the call, and whether the statement has taken effect.
PLACES: dict[str, tuple[Request, str, bool]] = {
    "connect to look a key up": (GET, CONNECT, False),
    "look a key up": (GET, "FROM api_keys", False),
    "fetch a key": (GET, "FROM api_keys", True),
    "read": (GET, "FROM collections", False),
    "fetch what is read": (GET, "FROM collections", True),
    "write": (POST, "^INSERT INTO collections", False),
    "begin": (KEYED, BEGIN, False),
    "write in a transaction": (KEYED, "^INSERT INTO collections", False),
    "look an idempotency key up": (KEYED, "FROM idempotency_keys", False),
    "store an idempotency key": (KEYED, "^INSERT INTO idempotency_keys", False),
    "commit": (KEYED, COMMIT, False),
    "committed": (KEYED, COMMIT, True),
    "commit and close": (KEYED, f"{COMMIT}|{CLOSE}", False),
    "roll back": (REFUSED, ROLLBACK, False),
    "readiness": (READY, "FROM alembic_version", False),
}
# Nothing of ours was sent before these calls failed, so the exception is never a bug.
NEVER_A_BUG = {"connect to look a key up", "roll back", "readiness"}


POSTGRESQL = (pytest.mark.postgresql, pytest.mark.slow)


@pytest.fixture(params=["sqlite", *(pytest.param(name, marks=POSTGRESQL) for name in ("asyncpg", "psycopg"))])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(driver: str, tmp_path: Path) -> Iterator[str]:
    with databases.migrated("sqlite" if driver == "sqlite" else "postgresql", tmp_path) as found:
        yield found


class Client:
    """The application in this process, and a user with a key and a collection."""

    def __init__(self, url: str, driver: str) -> None:
        with Database(url):
            organizations.join(HOME, OWNER.user_id)
            key, secret = keys.make(HOME, OWNER.user_id, ["music:read", "music:write"], pepper=PEPPER.encode())
            self.key_id = key.id
            self._id = collections.create(OWNER, HOME, name="First").id
        settings = Settings(
            database_url=url, key_pepper=PEPPER, rate_limit="off", key_cache_seconds=0,
            prepared_statements=driver != "psycopg", threads=2,
        )  # fmt: skip
        self._application: Application = app.create_app(settings)
        self._headers = [(b"host", b"a"), (b"x-api-key", secret.encode()), (b"content-type", b"application/json")]
        self._number = 0

    @property
    def database(self) -> Database:
        return self._application.database

    async def status(self, request: Request) -> int:
        """The status of the response, which is an error envelope from 400 on."""
        path, body = request.path.format(id=self._id).encode(), json.dumps(request.body or {}).encode()
        headers = list(self._headers)
        messages: list[Message] = []
        if request.body is not None:
            headers.append((b"content-length", b"%d" % len(body)))
        if request.keyed:
            self._number += 1
            headers.append((b"idempotency-key", b"key-%d" % self._number))
        scope = {"type": "http", "method": request.method, "path": path.decode(), "raw_path": path, "headers": headers,
                 "query_string": b"", "http_version": "1.1", "client": ("127.0.0.1", 1), "state": {}}  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._application(scope, receive, send)
        status = int(messages[0]["status"])
        assert status < 400 or json.loads(messages[1]["body"])["error"]["status"] == status
        return status


def is_bug(error: Exception, driver: str) -> bool:
    """The rule of models/db/driver_errors.py, said once more in other words."""
    sqlstate, code = getattr(error, "sqlstate", None), getattr(error, "sqlite_errorcode", None)
    if sqlstate:
        return sqlstate.startswith(("21", "22", "23", "42")) and sqlstate not in {"42501", "42P05"}
    if code is not None:
        return code & 0xFF in {1, 18, 19, 20, 21, 25}
    if driver == "asyncpg":
        return isinstance(error, asyncpg.DataError)
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__ in {"sqlite3", "psycopg"}}
    if names:
        return bool(names & {"ProgrammingError", "DataError", "IntegrityError", "NotSupportedError"})
    return isinstance(error, (TypeError, ValueError, OverflowError)) and not isinstance(error, UnicodeDecodeError)


def rows() -> int:
    row = connection.fetch_one(COUNT)
    return int(row.rows) if row is not None else 0


@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
@pytest.mark.parametrize("place", PLACES)
def test_exception_of_a_driver_gives_503_or_is_a_bug(
    url: str, driver: str, place: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_due(url, driver, place, times, failing_drivers.exceptions(driver, every=False), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["read", "write in a transaction"])
def test_every_exception_of_a_driver_gives_503_or_is_a_bug(
    url: str, driver: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_due(url, driver, place, 100, failing_drivers.exceptions(driver, every=True), monkeypatch)


def test_recording_key_usage_survives_every_exception(url: str, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, client = Fault(), Client(url, driver)
    DRIVERS[driver](fault, monkeypatch)

    async def record() -> None:
        recorder = KeyUsageRecorder(client.database)
        for error in failing_drivers.exceptions(driver, every=False):
            fault.__dict__.update(vars(Fault("^UPDATE api_keys", error, False, 100)))
            await recorder._write(frozenset({client.key_id}))
            assert fault.times < 100, "the exception was not raised"
        fault.times = 0
        await recorder._write(frozenset({client.key_id}))
        client.database.close_loop_connections()

    with structlog.testing.capture_logs():
        asyncio.run(record())
    with client.database:
        key = keys.get(client.key_id)
    assert key is not None
    assert key.last_used_at is not None


def _assert_due(
    url: str, driver: str, place: str, times: int, errors: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, call, after = PLACES[place]
    fault, client = Fault(), Client(url, driver)
    DRIVERS[driver](fault, monkeypatch)
    with structlog.testing.capture_logs():
        found = asyncio.run(_provoke(client, fault, Fault(call, None, after, times), request, driver, errors))
    assert not {name: statuses for name, statuses in found.items() if not _is_due(statuses, request, place, times)}


def _is_due(statuses: tuple[int, int, int, bool], request: Request, place: str, times: int) -> bool:
    """Whether status, status afterwards, added rows and the kind of the exception fit together."""
    status, afterwards, added, bug = statuses
    expected = {500} if bug and place not in NEVER_A_BUG else {503}
    if times == 1 or place in {"roll back", "connect to look a key up"}:  # the last use of a key may keep a connection
        expected |= {request.status}
    wrote = status == 201 or (status != 201 and place == "committed")
    return (
        status in expected and afterwards == request.status and (added == wrote if request.status == 201 else not added)
    )


async def _close_connections(client: Client) -> None:
    await _require_idle(client.database)
    client.database.close_loop_connections()
    executor: Any = client.database._blocking
    if client.database.is_postgres:
        executor.made._engine.dispose()
    else:
        executor._reader._discard()


async def _provoke(
    client: Client, fault: Fault, planted: Fault, request: Request, driver: str, errors: list[Exception]
) -> dict[str, tuple[int, int, int, bool]]:
    found = {}
    assert await client.status(request) == request.status
    for error in errors:
        if planted.call == CONNECT:
            await _close_connections(client)
        with client.database.use():
            before = await asyncio.to_thread(rows)
            fault.__dict__.update(vars(planted) | {"error": error})
            status = await client.status(request)
            fault.times = 0
            added = await asyncio.to_thread(rows) - before
        afterwards = await client.status(request)
        found[repr(error)] = (status, afterwards, added, is_bug(error, driver))
    await _require_idle(client.database)
    client.database.close()
    return found


async def _require_idle(database: Database) -> None:
    """No connection stays in use; the last use of the key may still be written."""
    for _ in range(500):
        if not database.in_use:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{database.in_use} connections stay in use")
