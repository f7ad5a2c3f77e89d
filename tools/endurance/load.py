"""Clients that create collections without a pause, and remember what they were told."""

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
# Of a connection that broke before anybody could ask for its port.
NO_PORT = 0


class Load:
    """So many writers; with keys, each repeats a request until it is answered, as a careful client does.

    `told` are the names that were acknowledged, `cut` says how each connection broke that broke under a request, and
    `cut_ports` which local port it had; `statuses` is a count of every answer. A connection that was refused carried no
    request, and counts for nothing.
    """

    def __init__(self, server: Running, secret: str, *, writers: int = 8, keys: bool) -> None:
        self._server, self._secret, self._keys = server, secret, keys
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(writers)]
        self._over = threading.Event()
        self._ports: dict[httpx.Client, int] = {}
        self.told: list[str] = []
        self.cut: list[str] = []
        self.cut_ports: list[int] = []
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

    def await_told(self, more: int, patience: float = 30) -> None:
        """Until so many more were acknowledged."""
        goal, deadline = len(self.told) + more, time.monotonic() + patience
        while len(self.told) < goal:
            assert time.monotonic() < deadline, f"no progress: {len(self.told)} of {goal}, {self.statuses}"
            time.sleep(0.01)

    def _write(self) -> None:
        client = self._server.client(self._secret)
        while not self._over.is_set():
            name = secrets.token_hex(8)
            while not self._done(client, name) and self._keys and not self._over.is_set():
                time.sleep(0.01)
        client.close()

    def _done(self, client: httpx.Client, name: str) -> bool:
        headers, watched = {"Idempotency-Key": name} if self._keys else {}, self._watched(client)
        try:
            response = client.post("collections", json={"name": name}, headers=headers, extensions=watched)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            time.sleep(0.01)
            return False
        except httpx.TransportError as error:
            self.cut.append(f"{type(error).__name__}: {error}")
            self.cut_ports.append(self._ports.pop(client, NO_PORT))
            return False
        self.statuses[response.status_code] += 1
        if response.status_code == 201:
            self.told.append(name)
            return True
        if response.status_code not in RETRIED:
            self.unexpected.append(response.text)
        return False

    def _watched(self, client: httpx.Client) -> dict[str, object]:
        """Tells which port a connection has as soon as it stands: it may break before its first answer."""

        def seen(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                with contextlib.suppress(OSError):  # whoever took it may be dead already
                    self._ports[client] = info["return_value"].get_extra_info("client_addr")[1]

        return {"trace": seen}


def names(database_url: str) -> Counter[str]:
    """How often each name is there; asked of the database itself, so that no server need run."""
    with connected(database_url):
        return Counter(row.name for row in database.fetch_all(select(collections.c.name)))
