"""Bounds of what clients make the server hold: bytes, requests ahead, bodies, unread responses, closed connections."""

import asyncio
import contextlib
import gc
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from uvicorn.server import ServerState
from uvloop.loop import TCPTransport  # type: ignore[attr-defined]

import app
from docsite.assets import served_name
from settings import Settings
from tools.bench.fake_transport import FakeTransport
from tools.testing import databases
from tools.testing.cases import CHUNKED, JSON, LIST, LIVE, get, head
from tools.testing.raw_client import RawClient, RawResponse, address, response_errors
from tools.testing.service import ON_ONE_DATABASE, Actors, Services
from tools.testing.thread_server import serving
from web.application import Application
from web.contract import document as contract
from web.default_headers import DefaultHeaders
from web.error_envelope import ErrorCatalog
from web.server.config import ServerConfig
from web.server.cycle import WRITE_BYTES, Cycle
from web.server.flow_control import PIECE_BYTES
from web.server.lifespan_state import DEFAULT_HEADERS, ERROR_CATALOG, MEMORY_LIMITER, RATE_LIMIT_HOOK
from web.server.memory_limiter import CONNECTION_BYTES, MIB, MemoryLimiter
from web.server.parser_callbacks import MAX_HEAD_BYTES
from web.server.pipelining import STARTS_PER_ITERATION, PipelineQueue
from web.server.protocol import Protocol

pytestmark = pytest.mark.slow

KIB = 1024
LARGE = f"/docs/{served_name('scalar.js')}".encode()
PIPELINED = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
WAIT_SECONDS = 5


class Local:
    """The service in this process, with the connections that tests open to it."""

    def __init__(self, application: Application, where: tuple[str, int]) -> None:
        self.application = application
        self.where = where

    @property
    def held(self) -> int:
        return self.application.memory.held


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with databases.migrated("sqlite", tmp_path) as url:
        application = app.create_app(Settings(database_url=url, key_pepper="p" * 32, rate_limit="off"))
        with serving(application) as served:
            yield Local(application, ("127.0.0.1", int(served.rpartition(":")[2])))


def reaches(condition: Callable[[], bool]) -> bool:
    """Whether the condition becomes true within WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def opened(where: tuple[str, int], count: int, sent: bytes, source: str = "127.0.0.2") -> Iterator[list[socket.socket]]:
    """So many connections of another address that have sent these bytes and read nothing."""
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(where, WAIT_SECONDS, source_address=(source, 0)))
            for _ in range(count)
        ]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(sent)
        yield clients


def is_cut(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


class RecordingTransport(FakeTransport):
    """Keeps the first bytes of the response."""

    def can_write_eof(self) -> bool:
        return False


async def _never_respond(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


@contextlib.contextmanager
def unanswered() -> Iterator[tuple[Protocol, RecordingTransport]]:
    """A connection in memory, to an application that never responds."""
    config = ServerConfig(_never_respond, http=Protocol, ws="none", log_config=None, access_log=False)
    config.load()
    state = {MEMORY_LIMITER: MemoryLimiter(MIB, MIB), ERROR_CATALOG: ErrorCatalog(contract.document())}
    state |= {DEFAULT_HEADERS: DefaultHeaders(contract.document()), RATE_LIMIT_HOOK: lambda _peer: b""}
    protocol, transport = Protocol(config, ServerState(), state, asyncio.get_running_loop()), RecordingTransport()
    protocol.connection_made(transport)
    yield protocol, transport
    for task in protocol.server_state.tasks:
        task.cancel()
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    "first", [b"", *(head(b"POST", LIVE, b"Content-Length: %d" % size) + b"x" * size for size in (900, 100_000))]
)
def test_pipelined_requests_are_parsed_only_as_far_as_one_piece(first: bytes) -> None:
    async def parsed() -> int:
        with unanswered() as (protocol, _):
            protocol.data_received(first[: len(first) // 2])
            protocol.data_received(first[len(first) // 2 :] + PIPELINED * 10_000)
            return len(protocol.pipeline)

    assert 0 < asyncio.run(parsed()) <= PIECE_BYTES // len(PIPELINED)


@pytest.mark.parametrize(
    ("status", "start", "piece"),
    [
        (b"431", head(b"POST", LIVE, CHUNKED) + b"0\r\nA: ", b"x"),
        (b"431", head(b"POST", LIVE, CHUNKED) + b"0\r\n", b"x"),
        (b"431", head(b"POST", LIVE, CHUNKED) + b"1;", b"x"),
        (b"431", head(b"POST", LIVE, CHUNKED), b"1;" + b"x" * 119 + b"\r\nx\r\n"),
        (b"431", head(b"POST", LIVE, CHUNKED), b"0"),
        (b"431", b"", b"\r\n"),
        (b"414", b"GET /", b"x"),
        (b"431", get()[:-2] + b"X-A: ", b"x"),
        (b"431", get()[:-2] + b"X-A:", b" "),
        (b"431", get()[:-2], b"x"),
        (b"431", get()[:-2], b"X-A:\r\n"),
    ],
)
def test_endless_part_of_a_request_is_rejected(status: bytes, start: bytes, piece: bytes) -> None:
    async def received() -> int:
        with unanswered() as (protocol, transport):
            protocol.data_received(start)
            for count in range(MIB // KIB):
                if transport.start:
                    assert transport.start == b"HTTP/1.1 " + status
                    return count * KIB
                protocol.data_received(piece * (KIB // len(piece)))
            return MIB

    assert asyncio.run(received()) <= MAX_HEAD_BYTES + 2 * PIECE_BYTES


def test_few_pipelined_requests_start_in_one_iteration() -> None:
    async def started() -> list[int]:
        queue, counts, found = PipelineQueue(), [0], []
        for _ in range(STARTS_PER_ITERATION * 2 + 1):
            queue.put(lambda: counts.append(1), asyncio.get_running_loop())
        for _ in range(4):
            found.append(sum(counts))
            await asyncio.sleep(0)
        return found

    assert asyncio.run(started()) == [0, STARTS_PER_ITERATION, STARTS_PER_ITERATION * 2, STARTS_PER_ITERATION * 2 + 1]


def test_chunks_of_one_byte_are_accepted() -> None:
    async def received() -> bytes:
        with unanswered() as (protocol, transport):
            protocol.data_received(head(b"POST", LIVE, CHUNKED) + b"001\r\nx\r\n" * 100_000)
            assert len(protocol.cycle.body) == 100_000
            return transport.start

    assert asyncio.run(received()) == b""


def test_unread_response_is_not_copied_for_each_client(local: Local) -> None:
    request = head(b"GET", LARGE)
    with RawClient(local.where) as client:
        client.send(request)
        assert len(client.response().body) > MIB
    tracemalloc.start()
    try:
        with opened(local.where, 20, request) as clients:
            time.sleep(1)
            assert tracemalloc.get_traced_memory()[0] < 10 * MIB
            assert 0 < local.held < 20 * (WRITE_BYTES * 3 + CONNECTION_BYTES)
            assert clients[0].recv(15) == b"HTTP/1.1 200 OK"
    finally:
        tracemalloc.stop()
    assert reaches(lambda: local.held == 0)


def test_large_response_arrives_whole_when_it_is_read_slowly(local: Local) -> None:
    with RawClient(local.where) as client:
        client.send(head(b"GET", LARGE) + get())
        time.sleep(0.5)
        first, second = client.response(), client.response()
    assert len(first.body) == int(first.headers["content-length"]) > MIB
    assert second.status == 200


@pytest.mark.parametrize(
    "sent",
    [
        get(),
        get(LIVE, b"Connection: close"),
        PIPELINED * 100,
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" * 100,
        get() * 3 + b"\0",
        get(LIVE, b"Content-Length: 9") + b"x",
        head(b"POST", LIST, JSON, b"Content-Length: 9") + b"x",
        head(b"GET", LIVE, CHUNKED) + b"1;" + b"x" * 9000,
        head(b"GET", LIVE, CHUNKED) + b"0\r\nA: " + b"x" * 50_000,
        get(b"http://"),
        get(b"/" + b"a" * 9000),
        head(b"GET", LARGE),
        head(b"GET", LARGE) + get() * 20,
        get()[:-2],
    ],
)
def test_closed_connection_leaves_nothing_behind(local: Local, sent: bytes) -> None:
    """Neither timers nor reference cycles keep a connection or its requests: the garbage collector is off."""
    gc.collect()
    gc.disable()
    try:
        with opened(local.where, 5, sent):
            time.sleep(0.3)
        assert reaches(
            lambda: not [one for one in gc.get_objects() if isinstance(one, Protocol | Cycle | TCPTransport)]
        )
    finally:
        gc.enable()
    assert local.held == 0


def test_operation_without_a_body_responds_before_one_has_arrived(local: Local) -> None:
    with RawClient(local.where) as client:
        client.send(get(LIVE, b"Content-Length: 1000000") + b"x" * 999_999)
        response = client.response()
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert client.is_closed()


@ON_ONE_DATABASE
def test_clients_that_still_send_take_no_place_of_others(services: Services, actors: Actors) -> None:
    server = services.variant(actors.service, MAX_CONCURRENCY="2")
    key = b"X-API-Key: " + actors.secrets["alice"].encode()
    slow = head(b"POST", LIST, key, JSON, b"Content-Length: 16") + b"{"
    with opened(address(server), 10, slow), opened(address(server), 10, get(LIVE, b"Content-Length: 9") + b"x"):
        time.sleep(0.3)
        assert server.client(actors.secrets["bob"]).get("collections").status_code == 200


@ON_ONE_DATABASE
def test_one_credential_sends_a_bounded_number_of_bodies(services: Services, actors: Actors) -> None:
    server = services.variant(actors.service, MAX_BODIES_PER_CREDENTIAL="3")
    alice, bob = (b"X-API-Key: " + actors.secrets[name].encode() for name in ("alice", "bob"))
    body = b'{"name": "Test"}'

    def post(key: bytes) -> RawResponse:
        with RawClient(address(server)) as client:
            client.send(head(b"POST", LIST, key, JSON, b"Content-Length: %d" % len(body)) + body)
            return client.response()

    with opened(address(server), 3, head(b"POST", LIST, alice, JSON, b"Content-Length: 16") + b"{"):
        time.sleep(0.3)
        refused = post(alice)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert not list(response_errors(refused))
        assert post(bob).status == 201
    assert reaches(lambda: post(alice).status == 201)


@ON_ONE_DATABASE
def test_address_that_holds_too_much_loses_its_largest_connections(services: Services, actors: Actors) -> None:
    server = services.variant(actors.service, ADDRESS_MEMORY_MIB="1")
    start = head(b"POST", LIST, b"X-API-Key: " + actors.secrets["alice"].encode(), JSON, b"Content-Length: 400000")
    with (
        opened(address(server), 1, start + b" " * 390_000, "127.0.0.1") as honest,
        opened(address(server), 10, start + b" ", "127.0.0.2") as small,
        opened(address(server), 10, start + b" " * 390_000, "127.0.0.2") as large,
    ):
        assert reaches(lambda: sum(map(is_cut, large)) >= 7)
        assert not any(map(is_cut, small + honest))


@ON_ONE_DATABASE
def test_process_that_holds_too_much_closes_connections_of_whoever_holds_most(
    services: Services, actors: Actors
) -> None:
    server = services.variant(actors.service, CONNECTION_MEMORY_MIB="2")
    start = head(b"POST", LIST, b"X-API-Key: " + actors.secrets["alice"].encode(), JSON, b"Content-Length: 400000")
    with opened(address(server), 1, start + b" " * 390_000, "127.0.0.1") as honest:
        large = [opened(address(server), 5, start + b" " * 390_000, f"127.0.0.{number}") for number in (2, 3)]
        with large[0] as first, large[1] as second:
            assert reaches(lambda: sum(map(is_cut, first + second)) >= 5)
            assert not any(map(is_cut, honest))
            honest[0].sendall(b" " * 9_999 + b"x")
            assert honest[0].recv(12) == b"HTTP/1.1 400"
