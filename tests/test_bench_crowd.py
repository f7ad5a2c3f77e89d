"""The clients of the benchmark's crowds, on a small server: what they count as an answer and as a failure."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tools.bench import crowd
from tools.bench.workloads import Request

REQUEST = Request("GET", "/x", "key")
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}'
Respond = Callable[[bytes], bytes]


@contextmanager
def _serving(respond: Respond) -> Iterator[int]:
    """A server that answers each request with what `respond` gives for it, and closes the connection after nothing."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                lines = [head]
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    lines.append(line)
                answer = respond(b"".join(lines))
                self.wfile.write(answer)
                if not answer or b"Connection: close" in b"".join(lines):
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_idle_connection_is_kept_and_used_again() -> None:
    with _serving(lambda _: ANSWER) as port, crowd.idle(port, REQUEST, 3) as connections:
        assert len(connections) == 3
        assert all(crowd.answers(connection, REQUEST) for connection in connections)


@pytest.mark.parametrize("answer", [b"", b'HTTP/1.1 503 Busy\r\n\r\n{"a": 1}'])
def test_connection_without_an_answer_of_200_is_a_failure(answer: bytes) -> None:
    said = "connection 1 was not answered with 200"
    with _serving(lambda _: answer) as port, pytest.raises(OSError, match=said), crowd.idle(port, REQUEST, 1):
        pass


def test_storm_counts_answers_and_failures() -> None:
    answers = iter([ANSWER, b"", ANSWER, b'HTTP/1.1 500 No\r\n\r\n{"a": 1}', ANSWER])
    lock = threading.Lock()

    def respond(_request: bytes) -> bytes:
        with lock:
            return next(answers)

    with _serving(respond) as port:
        seen = crowd.storm(port, [REQUEST], 5)
    assert (len(seen.times), seen.failed) == (3, 2)
    assert seen.percentile(50) > 0


def test_slow_reader_asks_again_after_a_complete_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PAUSE_SECONDS", 0)
    asked = threading.Semaphore(0)

    def respond(_request: bytes) -> bytes:
        asked.release()
        return ANSWER

    with _serving(respond) as port, crowd.slow_readers(port, REQUEST, 2) as read:
        assert all(asked.acquire(timeout=10) for _ in range(6))
    assert sum(count > len(ANSWER) for count in read) >= 1


def test_slow_reader_whose_connection_is_cut_counts_as_failed() -> None:
    with _serving(lambda _: b"") as port, crowd.slow_readers(port, REQUEST, 1) as read:
        deadline = time.monotonic() + 10
        while read == [0] and time.monotonic() < deadline:
            time.sleep(0.01)
    assert read == [-1]
