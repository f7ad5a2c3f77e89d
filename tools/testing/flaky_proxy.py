"""A TCP connection that can be made to fail: refused, silent, or cut after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

BLOCK = 65536


class Proxy:
    """Passes bytes to a PostgreSQL behind a Unix socket; `url` goes through it.

    `silent` swallows what arrives and answers nothing, on open connections and on new ones; `cut_after` breaks each
    connection once so many bytes of answers have passed.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self.silent = False
        self.cut_after: int | None = None
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            for one in list(self._open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def allow(self) -> None:
        """Take connections again, at the same port."""
        self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self._target)
            with self._guard:
                self._open |= {client, server}
            back = threading.Thread(target=self._pass, args=(server, client, True), daemon=True)
            back.start()
            self._pass(client, server, False)
            back.join()
            with self._guard:
                self._open -= {client, server}

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                if self.silent:
                    continue
                passed += len(block)
                if answers and self.cut_after is not None and passed > self.cut_after:
                    break
                sink.sendall(block)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(socket_file: str) -> Iterator[Proxy]:
    """A proxy that listens, and is closed afterwards."""
    proxy = Proxy(socket_file)
    try:
        yield proxy
    finally:
        proxy.refuse()
