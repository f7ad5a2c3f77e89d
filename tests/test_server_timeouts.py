"""The limits that keep the server alive: of time, of size, of connections and of requests at once."""

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
from tools.testing.raw_client import Answer, Line, address, flaws
from tools.testing.service import ON_ONE_DATABASE, Actors, Service, Services, at_once
from web.server.protocol import MAX_PIPELINED

pytestmark = pytest.mark.slow  # most of it waits for a limit of time
SILENT_CONNECTIONS = 900
HEADERS_SECONDS, BODY_SECONDS, IDLE_SECONDS, READER_SECONDS = 1, 2, 2, 1
REAL = Settings()
IDLE_REAL_SECONDS = REAL.keep_alive_timeout_seconds
# What a busy machine may add to a limit before it counts as missed.
SLACK_SECONDS = 8
_MIB = 1024 * 1024


class Quick:
    """A server with short limits of time, and alice's key."""

    def __init__(self, process: subprocess.Popen[bytes], where: tuple[str, int], key: bytes) -> None:
        self.process = process
        self.where = where
        self.key = key

    def post(self, *fields: bytes, content: bytes = b"") -> bytes:
        return head(b"POST", LIST, b"X-API-Key: " + self.key, JSON, *fields) + content


@pytest.fixture(scope="module")
def quick(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quick]:
    actors = services.actors("sqlite")
    log = tmp_path_factory.mktemp("impatient") / "server.log"
    process = _impatient(actors.service.database_url, log)
    try:
        url = harness._announced(process, log)
        yield Quick(process, ("127.0.0.1", int(url.rpartition(":")[2])), actors.secrets["alice"].encode())
    finally:
        process.terminate()
        process.wait(30)
    text = log.read_text(encoding="utf-8")
    assert not [fault for fault in harness.FAULTS if fault in text], text[-4000:]


def _impatient(database_url: str, log: Path) -> subprocess.Popen[bytes]:
    settings = {"DATABASE_URL": database_url, "KEY_PEPPER": harness.PEPPER, "LOG_FORMAT": "json", "RATE_LIMIT": "off"}
    settings |= {"HEADER_TIMEOUT_SECONDS": "1", "BODY_TIMEOUT_SECONDS": "2", "KEEP_ALIVE_TIMEOUT_SECONDS": "2"}
    settings |= {"WRITE_TIMEOUT_SECONDS": "1"}
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--port", "0"],
            cwd=harness.ROOT,
            env=os.environ | {f"MUSIC_STUDIO_{name}": value for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def _cut(where: tuple[str, int], *pieces: bytes, answers: int, to_head: bool = False) -> tuple[list[Answer], float]:
    """What is answered before the server closes, and how many seconds after the last piece it does."""
    with Line(where, IDLE_REAL_SECONDS + SLACK_SECONDS) as line:
        for piece in pieces:
            line.say(piece)
        started = time.monotonic()
        found = [line.answer(to_head=to_head) for _ in range(answers)]
        assert line.ends()
        return found, time.monotonic() - started


def _assert_408(answer: Answer) -> None:
    assert answer.status == 408
    assert answer.headers["connection"] == "close"
    assert not list(flaws(answer))


def _assert_about(seconds: float, limit: float) -> None:
    assert limit * 0.9 <= seconds <= limit + SLACK_SECONDS


def test_a_silent_connection_is_cut_without_a_word(quick: Quick) -> None:
    _, seconds = _cut(quick.where, answers=0)
    _assert_about(seconds, HEADERS_SECONDS)


def test_who_asked_in_time_is_answered_however_busy_the_server_was(quick: Quick) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(Line(quick.where)) for _ in range(20)]
        for line in lines:
            line.say(get(LIVE))
            assert line.answer().status == 200, "a connection that has been accepted"
        fresh = [stack.enter_context(Line(quick.where)) for _ in range(20)]
        time.sleep(0.2)
        quick.process.send_signal(signal.SIGSTOP)
        for line in lines + fresh:
            line.say(get(LIVE))
        time.sleep(HEADERS_SECONDS + 0.5)
        quick.process.send_signal(signal.SIGCONT)
        assert [line.answer().status for line in lines + fresh] == [200] * 40


@pytest.mark.parametrize("half", [b"G", b"GET /v1/hea", get()[:-2], get()[:-1]])
def test_half_a_header_is_answered_408(quick: Quick, half: bytes) -> None:
    (answer,), seconds = _cut(quick.where, half, answers=1)
    _assert_408(answer)
    _assert_about(seconds, HEADERS_SECONDS)


def test_a_header_in_drops_has_no_more_time_than_another(quick: Quick) -> None:
    with Line(quick.where) as line:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in get(LIVE, b"X-A: " + b"a" * 500):
                line.say(bytes([byte]))
                time.sleep(0.05)
                if time.monotonic() - started > HEADERS_SECONDS * 2:
                    break
        _assert_408(line.answer())


def test_half_a_second_request_is_answered_408(quick: Quick) -> None:
    (first, second), seconds = _cut(quick.where, get() + get()[:-4], answers=2)
    assert first.status == 200
    _assert_408(second)
    _assert_about(seconds, HEADERS_SECONDS)


def test_a_slow_head_request_is_answered_without_a_body(quick: Quick) -> None:
    (answer,), _ = _cut(quick.where, head(b"HEAD", LIVE)[:-2], answers=1, to_head=True)
    assert (answer.status, int(answer.headers["content-length"]) > 0) == (408, True)  # as GET's (RFC 9110 section 8.6)


@pytest.mark.parametrize("length", [b"Content-Length: 400", b"Transfer-Encoding: chunked"])
def test_half_a_body_is_answered_408(quick: Quick, length: bytes) -> None:
    (answer,), seconds = _cut(quick.where, quick.post(length, content=b"10\r\n{}"), answers=1)
    _assert_408(answer)
    _assert_about(seconds, BODY_SECONDS)


def test_a_body_in_drops_has_no_more_time_than_another(quick: Quick) -> None:
    with Line(quick.where) as line:
        line.say(quick.post(b"Content-Length: 400"))
        with contextlib.suppress(OSError):
            for _ in range(int(BODY_SECONDS / 0.05) + 4):
                line.say(b" ")
                time.sleep(0.05)
        _assert_408(line.answer())


def test_an_idle_connection_is_cut_without_a_word(quick: Quick) -> None:
    _, seconds = _cut(quick.where, get(), answers=1)
    _assert_about(seconds, IDLE_SECONDS)


def test_a_connection_in_use_is_not_cut_and_then_has_its_whole_rest(quick: Quick) -> None:
    """The timer between requests is not moved by each of them, and must not count the time in which they came."""
    with Line(quick.where, IDLE_SECONDS + SLACK_SECONDS) as line:
        ends = time.monotonic() + 2.5 * IDLE_SECONDS
        while time.monotonic() < ends:
            line.say(get())
            assert line.answer().status == 200
            answered = time.monotonic()
            time.sleep(IDLE_SECONDS / 4)
        assert line.ends()
        _assert_about(time.monotonic() - answered, IDLE_SECONDS)


def test_a_stray_line_end_after_an_answer_is_no_request(quick: Quick) -> None:
    _, seconds = _cut(quick.where, get() + b"\r\n", answers=1)
    assert seconds <= IDLE_SECONDS + SLACK_SECONDS


@pytest.mark.slow
def test_a_client_that_never_reads_is_cut(quick: Quick) -> None:
    """What was answered before the cut still arrives; a busy machine may need longer to get there."""
    asked = get(b"/v1/openapi.json") * 200
    assert any(_answers_after(quick, asked, READER_SECONDS * patience) < 200 for patience in (3, 6, 12))


def _answers_after(quick: Quick, asked: bytes, seconds: float) -> int:
    """How many answers a client gets that begins to read so late."""
    with Line(quick.where) as line:
        line.say(asked)
        time.sleep(seconds)
        count = 0
        with contextlib.suppress(EOFError, ConnectionError):
            while count < 200:
                line.answer()
                count += 1
        return count


def test_who_asks_too_much_at_once_is_answered_in_part(quick: Quick) -> None:
    answered = 0
    with Line(quick.where) as line:
        line.say(get() * 20_000)
        with contextlib.suppress(EOFError):
            while True:
                assert line.answer().status == 200
                answered += 1
    assert MAX_PIPELINED < answered < 20_000


@ON_ONE_DATABASE
@pytest.mark.slow
def test_the_real_limits_of_time(server: Service, actors: Actors) -> None:
    key = actors.secrets["alice"].encode()
    body = head(b"POST", LIST, b"X-API-Key: " + key, JSON, b"Content-Length: 400")
    plans = [((), 0, REAL.header_timeout_seconds), ((get()[:-2],), 1, REAL.header_timeout_seconds)]
    plans += [((body + b"{",), 1, REAL.body_timeout_seconds), ((get(),), 1, IDLE_REAL_SECONDS)]
    with ThreadPoolExecutor(len(plans)) as pool:
        running = [(pool.submit(_cut, address(server), *pieces, answers=n), limit) for pieces, n, limit in plans]
        for cut, limit in running:
            _assert_about(cut.result()[1], limit)


@ON_ONE_DATABASE
@pytest.mark.slow
def test_900_silent_connections_keep_nobody_waiting(
    server: Service, record_property: Callable[[str, object], None]
) -> None:
    _allow_files(SILENT_CONNECTIONS + 256)
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT_CONNECTIONS):
            stack.enter_context(Line(address(server)))
        started = time.monotonic()
        with Line(address(server)) as line:
            line.say(get())
            assert line.answer().status == 200
        seconds = time.monotonic() - started
    record_property("seconds", round(seconds, 4))
    assert seconds < 3, f"a good request beside {SILENT_CONNECTIONS} silent connections took {seconds:.2f} s"


def _allow_files(count: int) -> None:
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
def test_a_client_that_is_still_sending_gets_its_answer(
    server: Service, actors: Actors, expected: int, start: bytes, more: int
) -> None:
    """Closing a connection on which something arrives resets it, and a reset takes the answer away with it."""
    with Line(address(server)) as line:
        line.say(start.replace(b"$", actors.secrets["alice"].encode()))
        for _ in range(more // _MIB):
            line.say(b"a" * _MIB)
        answer = line.answer()
        assert answer.status == expected
        assert not list(flaws(answer))
        assert line.ends()


@ON_ONE_DATABASE
@pytest.mark.parametrize("rest", [b"", get()[:-4], head(b"POST", LIST, JSON, b"Content-Length: 9") + b"{"])
def test_a_client_that_has_said_all_still_gets_its_answer(server: Service, actors: Actors, rest: bytes) -> None:
    key = b"X-API-Key: " + actors.secrets["alice"].encode()
    body = b'{"name": "Test"}'
    with Line(address(server)) as line:
        with server.blocked_writes():
            line.say(head(b"POST", LIST, key, JSON, b"Content-Length: %d" % len(body)) + body + rest)
            line.say(HALF_CLOSE)
            time.sleep(0.3)
        assert line.answer().status == 201
        assert line.ends()


@ON_ONE_DATABASE
def test_a_wrong_key_is_refused_before_its_body_is_sent(server: Service) -> None:
    with Line(address(server)) as line:
        line.say(head(b"POST", LIST, JSON, b"X-API-Key: wrong", b"Content-Length: 2147483648", b"Expect: 100-continue"))
        assert line.answer().status == 401
        assert line.ends()


@pytest.mark.slow
def test_more_requests_than_the_server_takes_at_once_are_told_to_come_back(services: Services, actors: Actors) -> None:
    full = services.variant(actors.service, MAX_CONCURRENCY="3", THREADS="3")
    body = b'{"name": "Test"}'
    key = b"X-API-Key: " + actors.secrets["alice"].encode()

    def write(_: int) -> Answer:
        with Line(address(full)) as line:
            line.say(head(b"POST", LIST, key, JSON, b"Content-Length: %d" % len(body)) + body)
            return line.answer()

    with ThreadPoolExecutor(1) as pool, full.blocked_writes():
        writing = pool.submit(at_once, 12, write)
        time.sleep(0.3)
        assert full.client().get(f"{full.url}/v1/health/live").status_code == 200
    refused = [answer for answer in writing.result() if b"in flight" in answer.body]
    assert refused
    assert {(answer.status, answer.headers["retry-after"]) for answer in refused} == {(503, "1")}
    assert not [flaw for answer in refused for flaw in flaws(answer)]
    assert write(0).status == 201


@ON_ONE_DATABASE
def test_connections_that_break_off_leave_nothing_behind(server: Service, actors: Actors) -> None:
    key = b"X-API-Key: " + actors.secrets["alice"].encode()
    whole = b'{"name": "cut short"}'
    broken = [get()[:-4], get(LIST, key), head(b"POST", LIST, key, JSON, b"Content-Length: 400") + whole]

    def break_off(number: int) -> None:
        with Line(address(server)) as line:
            line.say(broken[number % len(broken)])

    at_once(60, break_off)
    with Line(address(server)) as line:
        line.say(head(b"POST", LIST, key, JSON, b"Transfer-Encoding: chunked", host=HOST) + chunks(b'{"name": "a"}'))
        line.say(HALF_CLOSE)
        assert line.answer().status == 201
    kept = server.client(actors.secrets["alice"]).get("collections", params={"limit": 100}).json()["items"]
    assert "cut short" not in {item["name"] for item in kept}, "a body that broke off was taken for whole"
