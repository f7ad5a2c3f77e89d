"""Writers that create collections without a pause and record the acknowledged ones."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

import httpx
from sqlalchemy import select

from models.db import connection as database
from models.schema import collections
from tools.testing.server_process import Running, connected

RETRIED = (409, 503)
# Port of a connection that broke before its port was known.
NO_PORT = 0


class Load:
    """Concurrent writers; with idempotency keys, each retries a request until it gets a response.

    `acknowledged` are the names of created collections, `broken` the errors of connections that broke during a
    request, and `broken_ports` their local ports; `statuses` counts all responses. Refused connections are not
    counted.
    """

    def __init__(self, server: Running, secret: str, *, writers: int = 8, keys: bool) -> None:
        self._server, self._secret, self._keys = server, secret, keys
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(writers)]
        self._over = threading.Event()
        self._ports: dict[httpx.Client, int] = {}
        self.acknowledged: list[str] = []
        self.broken: list[str] = []
        self.broken_ports: list[int] = []
        self.statuses: Counter[int] = Counter()
        self.unexpected: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def await_acknowledged(self, more: int, timeout: float = 30) -> None:
        """Waits until so many more writes are acknowledged."""
        goal, deadline = len(self.acknowledged) + more, time.monotonic() + timeout
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, f"no progress: {len(self.acknowledged)} of {goal}, {self.statuses}"
            time.sleep(0.01)

    def _write(self) -> None:
        client = self._server.client(self._secret)
        while not self._over.is_set():
            name = secrets.token_hex(8)
            while not self._create(client, name) and self._keys and not self._over.is_set():
                time.sleep(0.01)
        client.close()

    def _create(self, client: httpx.Client, name: str) -> bool:
        headers, extensions = {"Idempotency-Key": name} if self._keys else {}, self._port_recorder(client)
        try:
            response = client.post("collections", json={"name": name}, headers=headers, extensions=extensions)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            time.sleep(0.01)
            return False
        except httpx.TransportError as error:
            self.broken.append(f"{type(error).__name__}: {error}")
            self.broken_ports.append(self._ports.pop(client, NO_PORT))
            return False
        self.statuses[response.status_code] += 1
        if response.status_code == 201:
            self.acknowledged.append(name)
            return True
        if response.status_code not in RETRIED:
            self.unexpected.append(response.text)
        return False

    def _port_recorder(self, client: httpx.Client) -> dict[str, object]:
        """Records the local port of a connection when it opens; it may break before its first response."""

        def on_event(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                with contextlib.suppress(OSError):  # the peer may have closed it already
                    self._ports[client] = info["return_value"].get_extra_info("client_addr")[1]

        return {"trace": on_event}


def names(database_url: str) -> Counter[str]:
    """Number of collections per name, read from the database without a server."""
    with connected(database_url):
        return Counter(row.name for row in database.fetch_all(select(collections.c.name)))
