"""A way to the server that keeps what passes: the request that a program sent, and the answer that it got."""

import contextlib
import http.client
import io
import socket
import threading
from collections.abc import Iterator
from typing import NamedTuple

BLOCK = 65536


class Exchange(NamedTuple):
    """One request and its answer."""

    method: str
    target: str
    headers: http.client.HTTPMessage
    body: bytes
    status: int
    answer: bytes


class Recorder:
    """Passes bytes between clients and a server; every connection is taken to carry one exchange."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._passed: list[tuple[io.BytesIO, io.BytesIO]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> list[Exchange]:
        """What has passed since it was asked last, once every connection is closed."""
        while self._threads:
            self._threads.pop().join(10)
        passed, self._passed = self._passed, []
        return [_exchange(sent.getvalue(), answered.getvalue()) for sent, answered in passed]

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
        sent, answered = io.BytesIO(), io.BytesIO()
        self._passed.append((sent, answered))
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=_pass, args=(server, client, answered), daemon=True)
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


class _Received:
    """Bytes in the place of a socket, as http.client reads from one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _exchange(sent: bytes, answered: bytes) -> Exchange:
    line, _, rest = sent.partition(b"\r\n")
    method, target, _ = line.decode("ascii").split(" ")
    stream = io.BytesIO(rest)
    headers = http.client.parse_headers(stream)
    answer = http.client.HTTPResponse(_Received(answered), method=method)  # type: ignore[arg-type]
    answer.begin()
    return Exchange(method, target, headers, stream.read(), answer.status, answer.read())


@contextlib.contextmanager
def recorded(port: int) -> Iterator[Recorder]:
    """A recorder before the server at a port, closed afterwards."""
    recorder = Recorder(port)
    try:
        yield recorder
    finally:
        recorder.close()
