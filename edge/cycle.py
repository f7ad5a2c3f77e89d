"""One request and its response as uvicorn drives them, and what such a cycle sees of its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Cycle(RequestResponseCycle):
    """A connection is of no more use when a request was answered before its end: this says so in the answer."""

    async def send(self, message: Any) -> None:
        if not self.response_started and self.more_body:
            self.keep_alive = False
        await super().send(message)


# uvicorn makes cycles by this name, and offers no other way to choose their class.
vars(httptools_impl)["RequestResponseCycle"] = Cycle


class Parting(asyncio.Transport):
    """A transport on which to close is to call `part`, which lets the client read its answer first."""

    def __init__(self, transport: asyncio.Transport, part: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._part = part
        self._parted = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():  # whoever was cut off needs no answer, and uvloop would raise
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._parted or self._transport.is_closing()

    def close(self) -> None:
        self._parted = True
        self._part()
