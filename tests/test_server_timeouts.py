"""Limits of the server: timeouts, sizes, connections, pipelining and concurrency."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from settings import Settings
from tools.testing import service as harness
from tools.testing.cases import HALF_CLOSE, HOST, JSON, LIST, LIVE, chunks, get, head
from tools.testing.raw_client import RawClient, RawResponse, address, response_errors
from tools.testing.service import ON_ONE_DATABASE, Actors, Service, Services, at_once

pytestmark = pytest.mark.slow  # most tests wait for a timeout
IDLE_CONNECTIONS = 900
HEADER_SECONDS, BODY_SECONDS, KEEP_ALIVE_SECONDS, WRITE_SECONDS = 1, 2, 2, 1
DEFAULTS = Settings()
DEFAULT_KEEP_ALIVE_SECONDS = DEFAULTS.keep_alive_timeout_seconds
# Tolerance for a busy machine.
SLACK_SECONDS = 8
_MIB = 1024 * 1024


class ShortTimeoutServer:
    """A server with timeouts of 1 and 2 s, and alice's key."""

    def __init__(self, process: subprocess.Popen[bytes], where: tuple[str, int], key: bytes) -> None:
        self.process = process
        self.where = where
        self.key = key

    def post(self, *fields: bytes, content: bytes = b"") -> bytes:
        return head(b"POST", LIST, b"X-API-Key: " + self.key, JSON, *fields) + content


@pytest.fixture(scope="module")
def short(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShortTimeoutServer]:
    actors = services.actors("sqlite")
    log = tmp_path_factory.mktemp("short-timeouts") / "server.log"
    process = _start_with_short_timeouts(actors.service.database_url, log)
    try:
        url = harness.announced_url(process, log)
        yield ShortTimeoutServer(process, ("127.0.0.1", int(url.rpartition(":")[2])), actors.secrets["alice"].encode())
    finally:
        process.terminate()
        process.wait(30)
    text = log.read_text(encoding="utf-8")
    assert not [fault for fault in harness.FAULTS if fault in text], text[-4000:]


def _start_with_short_timeouts(database_url: str, log: Path) -> subprocess.Popen[bytes]:
    settings = {"DATABASE_URL": database_url, "KEY_PEPPER": harness.PEPPER, "LOG_FORMAT": "json", "RATE_LIMIT": "off"}
    settings |= {"HEADER_TIMEOUT_SECONDS": "1", "BODY_TIMEOUT_SECONDS": "2", "KEEP_ALIVE_TIMEOUT_SECONDS": "2"}
    settings |= {"WRITE_TIMEOUT_SECONDS": "1", "WORKERS_STUDIO": "0"}
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--port", "0"],
            cwd=harness.ROOT,
            env=os.environ | {f"MUSIC_STUDIO_{name}": value for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def _responses_until_close(
    where: tuple[str, int], *pieces: bytes, count: int, to_head: bool = False
) -> tuple[list[RawResponse], float]:
    """The responses before the server closes, and the seconds from the last piece to the close."""
    with RawClient(where, DEFAULT_KEEP_ALIVE_SECONDS + SLACK_SECONDS) as client:
        for piece in pieces:
            client.send(piece)
        started = time.monotonic()
        found = [client.response(to_head=to_head) for _ in range(count)]
        assert client.is_closed()
        return found, time.monotonic() - started


def _assert_408(response: RawResponse) -> None:
    assert response.status == 408
    assert response.headers["connection"] == "close"
    assert not list(response_errors(response))


def _assert_about(seconds: float, limit: float) -> None:
    assert limit * 0.9 <= seconds <= limit + SLACK_SECONDS


def test_idle_new_connection_is_closed_without_a_response(short: ShortTimeoutServer) -> None:
    _, seconds = _responses_until_close(short.where, count=0)
    _assert_about(seconds, HEADER_SECONDS)


def test_header_timeout_ignores_event_loop_delay(short: ShortTimeoutServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(short.where)) for _ in range(20)]
        for client in clients:
            client.send(get(LIVE))
            assert client.response().status == 200, "the connection must be accepted"
        fresh = [stack.enter_context(RawClient(short.where)) for _ in range(20)]
        time.sleep(0.2)
        short.process.send_signal(signal.SIGSTOP)
        for client in clients + fresh:
            client.send(get(LIVE))
        time.sleep(HEADER_SECONDS + 0.5)
        short.process.send_signal(signal.SIGCONT)
        assert [client.response().status for client in clients + fresh] == [200] * 40


@pytest.mark.parametrize("half", [b"G", b"GET /v1/hea", get()[:-2], get()[:-1]])
def test_incomplete_header_gets_408(short: ShortTimeoutServer, half: bytes) -> None:
    (response,), seconds = _responses_until_close(short.where, half, count=1)
    _assert_408(response)
    _assert_about(seconds, HEADER_SECONDS)


def test_header_timeout_is_not_extended_by_slow_bytes(short: ShortTimeoutServer) -> None:
    with RawClient(short.where) as client:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in get(LIVE, b"X-A: " + b"a" * 500):
                client.send(bytes([byte]))
                time.sleep(0.05)
                if time.monotonic() - started > HEADER_SECONDS * 2:
                    break
        _assert_408(client.response())


def test_incomplete_second_request_gets_408(short: ShortTimeoutServer) -> None:
    (first, second), seconds = _responses_until_close(short.where, get() + get()[:-4], count=2)
    assert first.status == 200
    _assert_408(second)
    _assert_about(seconds, HEADER_SECONDS)


def test_status_408_to_head_has_no_body(short: ShortTimeoutServer) -> None:
    (response,), _ = _responses_until_close(short.where, head(b"HEAD", LIVE)[:-2], count=1, to_head=True)
    assert response.status == 408
    assert int(response.headers["content-length"]) > 0  # as for GET (RFC 9110 section 8.6)


@pytest.mark.parametrize("length", [b"Content-Length: 400", b"Transfer-Encoding: chunked"])
def test_incomplete_body_gets_408(short: ShortTimeoutServer, length: bytes) -> None:
    (response,), seconds = _responses_until_close(short.where, short.post(length, content=b"10\r\n{}"), count=1)
    _assert_408(response)
    _assert_about(seconds, BODY_SECONDS)


def test_body_timeout_is_not_extended_by_slow_bytes(short: ShortTimeoutServer) -> None:
    with RawClient(short.where) as client:
        client.send(short.post(b"Content-Length: 400"))
        with contextlib.suppress(OSError):
            for _ in range(int(BODY_SECONDS / 0.05) + 4):
                client.send(b" ")
                time.sleep(0.05)
        _assert_408(client.response())


def test_keep_alive_timeout_closes_idle_connection(short: ShortTimeoutServer) -> None:
    _, seconds = _responses_until_close(short.where, get(), count=1)
    _assert_about(seconds, KEEP_ALIVE_SECONDS)


def test_keep_alive_timer_restarts_with_each_request(short: ShortTimeoutServer) -> None:
    """The keep-alive timer is not rescheduled per request, and must count only from the last response."""
    with RawClient(short.where, KEEP_ALIVE_SECONDS + SLACK_SECONDS) as client:
        ends = time.monotonic() + 2.5 * KEEP_ALIVE_SECONDS
        while time.monotonic() < ends:
            client.send(get())
            assert client.response().status == 200
            responded = time.monotonic()
            time.sleep(KEEP_ALIVE_SECONDS / 4)
        assert client.is_closed()
        _assert_about(time.monotonic() - responded, KEEP_ALIVE_SECONDS)


def test_stray_crlf_after_a_response_is_ignored(short: ShortTimeoutServer) -> None:
    _, seconds = _responses_until_close(short.where, get() + b"\r\n", count=1)
    assert seconds <= KEEP_ALIVE_SECONDS + SLACK_SECONDS


@pytest.mark.slow
def test_write_timeout_closes_connection_of_a_client_that_never_reads(short: ShortTimeoutServer) -> None:
    """Responses before the close still arrive; a busy machine may need longer."""
    requests = get(b"/v1/openapi.json") * 200
    assert any(_responses_after(short, requests, WRITE_SECONDS * factor) < 200 for factor in (3, 6, 12))


def _responses_after(short: ShortTimeoutServer, requests: bytes, seconds: float) -> int:
    """Number of responses that a client gets which starts to read after so many seconds."""
    with RawClient(short.where) as client:
        client.send(requests)
        time.sleep(seconds)
        count = 0
        with contextlib.suppress(EOFError, ConnectionError):
            while count < 200:
                client.response()
                count += 1
        return count


def test_every_pipelined_request_is_answered(short: ShortTimeoutServer) -> None:
    with RawClient(short.where) as client, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.send, get() * 20_000)
        assert all(client.response().status == 200 for _ in range(20_000))
        sending.result()


@ON_ONE_DATABASE
@pytest.mark.slow
def test_default_timeouts_apply(server: Service, actors: Actors) -> None:
    key = actors.secrets["alice"].encode()
    body = head(b"POST", LIST, b"X-API-Key: " + key, JSON, b"Content-Length: 400")
    plans = [((), 0, DEFAULTS.header_timeout_seconds), ((get()[:-2],), 1, DEFAULTS.header_timeout_seconds)]
    plans += [((body + b"{",), 1, DEFAULTS.body_timeout_seconds), ((get(),), 1, DEFAULT_KEEP_ALIVE_SECONDS)]
    with ThreadPoolExecutor(len(plans)) as pool:
        running = [
            (pool.submit(_responses_until_close, address(server), *pieces, count=n), limit)
            for pieces, n, limit in plans
        ]
        for closed, limit in running:
            _assert_about(closed.result()[1], limit)


@ON_ONE_DATABASE
@pytest.mark.slow
def test_900_idle_connections_do_not_delay_requests(
    server: Service, record_property: Callable[[str, object], None]
) -> None:
    _raise_file_limit(IDLE_CONNECTIONS + 256)
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(RawClient(address(server)))
        started = time.monotonic()
        with RawClient(address(server)) as client:
            client.send(get())
            assert client.response().status == 200
        seconds = time.monotonic() - started
    record_property("seconds", round(seconds, 4))
    assert seconds < 3, f"a request beside {IDLE_CONNECTIONS} idle connections took {seconds:.2f} s"


def _raise_file_limit(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("expected", "start", "more"),
    [
        (413, head(b"POST", LIST, b"X-API-Key: $", JSON, b"Content-Length: 16777216"), 16 * _MIB),
        (413, head(b"POST", LIST, b"X-API-Key: $", JSON, b"Transfer-Encoding: chunked") + b"1000000\r\n", 16 * _MIB),
        (401, head(b"POST", LIST, JSON, b"Content-Length: 16777216"), 16 * _MIB),
        (414, b"GET /", 16 * _MIB),
        (431, get()[:-2] + b"X-A: ", 16 * _MIB),
    ],
)
def test_client_that_is_still_sending_gets_the_response(
    server: Service, actors: Actors, expected: int, start: bytes, more: int
) -> None:
    """Closing a connection with unread bytes sends RST, and the client may lose the response."""
    with RawClient(address(server)) as client:
        client.send(start.replace(b"$", actors.secrets["alice"].encode()))
        for _ in range(more // _MIB):
            client.send(b"a" * _MIB)
        response = client.response()
        assert response.status == expected
        assert not list(response_errors(response))
        assert client.is_closed()


@ON_ONE_DATABASE
@pytest.mark.parametrize("rest", [b"", get()[:-4], head(b"POST", LIST, JSON, b"Content-Length: 9") + b"{"])
def test_half_closed_client_gets_the_response(server: Service, actors: Actors, rest: bytes) -> None:
    key = b"X-API-Key: " + actors.secrets["alice"].encode()
    body = b'{"name": "Test"}'
    with RawClient(address(server)) as client:
        with server.blocked_writes():
            client.send(head(b"POST", LIST, key, JSON, b"Content-Length: %d" % len(body)) + body + rest)
            client.send(HALF_CLOSE)
            time.sleep(0.3)
        assert client.response().status == 201
        assert client.is_closed()


@ON_ONE_DATABASE
def test_wrong_key_gets_401_before_the_body_is_sent(server: Service) -> None:
    with RawClient(address(server)) as client:
        client.send(
            head(b"POST", LIST, JSON, b"X-API-Key: wrong", b"Content-Length: 2147483648", b"Expect: 100-continue")
        )
        assert client.response().status == 401
        assert client.is_closed()


@pytest.mark.slow
def test_requests_over_max_concurrency_get_503(services: Services, actors: Actors) -> None:
    full = services.variant(actors.service, MAX_CONCURRENCY="3", THREADS="3")
    body = b'{"name": "Test"}'
    key = b"X-API-Key: " + actors.secrets["alice"].encode()

    def write(_: int) -> RawResponse:
        with RawClient(address(full)) as client:
            client.send(head(b"POST", LIST, key, JSON, b"Content-Length: %d" % len(body)) + body)
            return client.response()

    with ThreadPoolExecutor(1) as pool, full.blocked_writes():
        writing = pool.submit(at_once, 12, write)
        time.sleep(0.3)
        assert full.client().get(f"{full.url}/v1/health/live").status_code == 200
    refused = [response for response in writing.result() if b"in flight" in response.body]
    assert refused
    assert {(response.status, response.headers["retry-after"]) for response in refused} == {(503, "1")}
    assert not [error for response in refused for error in response_errors(response)]
    assert write(0).status == 201


@ON_ONE_DATABASE
def test_aborted_requests_have_no_effect(server: Service, actors: Actors) -> None:
    key = b"X-API-Key: " + actors.secrets["alice"].encode()
    whole = b'{"name": "cut short"}'
    broken = [get()[:-4], get(LIST, key), head(b"POST", LIST, key, JSON, b"Content-Length: 400") + whole]

    def abort(number: int) -> None:
        with RawClient(address(server)) as client:
            client.send(broken[number % len(broken)])

    at_once(60, abort)
    with RawClient(address(server)) as client:
        client.send(head(b"POST", LIST, key, JSON, b"Transfer-Encoding: chunked", host=HOST) + chunks(b'{"name": "a"}'))
        client.send(HALF_CLOSE)
        assert client.response().status == 201
    kept = server.client(actors.secrets["alice"]).get("collections", params={"limit": 100}).json()["items"]
    assert "cut short" not in {item["name"] for item in kept}, "an incomplete body was accepted"
