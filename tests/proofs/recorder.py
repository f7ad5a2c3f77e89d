"""TCP proxy that records each request and response."""

import contextlib
import http.client
import io
import socket
import threading
from collections.abc import Iterator
from typing import NamedTuple

BLOCK = 65536


class RecordedExchange(NamedTuple):
    """One request and its response."""

    method: str
    target: str
    headers: http.client.HTTPMessage
    body: bytes
    status: int
    response: bytes


class Recorder:
    """Proxies bytes between clients and a server; expects one exchange per connection."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._passed: list[tuple[io.BytesIO, io.BytesIO]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> list[RecordedExchange]:
        """The exchanges since the last call, after every connection has closed."""
        while self._threads:
            self._threads.pop().join(10)
        passed, self._passed = self._passed, []
        return [_exchange(sent.getvalue(), received.getvalue()) for sent, received in passed]

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        sent, received = io.BytesIO(), io.BytesIO()
        self._passed.append((sent, received))
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=_pass, args=(server, client, received), daemon=True)
            back.start()
            _pass(client, server, sent)
            back.join()


def _pass(source: socket.socket, sink: socket.socket, copy: io.BytesIO) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(BLOCK):
            copy.write(block)
            sink.sendall(block)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class _BytesSocket:
    """Bytes with the interface of a socket that http.client needs."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _exchange(sent: bytes, received: bytes) -> RecordedExchange:
    line, _, rest = sent.partition(b"\r\n")
    method, target, _ = line.decode("ascii").split(" ")
    stream = io.BytesIO(rest)
    headers = http.client.parse_headers(stream)
    response = http.client.HTTPResponse(_BytesSocket(received), method=method)  # type: ignore[arg-type]
    response.begin()
    return RecordedExchange(method, target, headers, stream.read(), response.status, response.read())


@contextlib.contextmanager
def recorded(port: int) -> Iterator[Recorder]:
    """A recorder in front of the server at a port."""
    recorder = Recorder(port)
    try:
        yield recorder
    finally:
        recorder.close()
