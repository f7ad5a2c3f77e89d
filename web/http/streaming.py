"""Sends a body piece by piece, until the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing

from models.audio import FileRange, read_range
from web.asgi import Receive, Scope, Send
from web.responses import ABORT, ZERO_COPY_SEND, Piece, Pieces, Response


async def start(response: Response, method: str) -> Response:
    """The response; of a body of known length the first piece is made, which may be empty.

    Raises what the iterator raises.
    """
    pieces = response.pieces
    if response.length is None or method == "HEAD" or not isinstance(pieces, AsyncGenerator):
        return response
    first = await anext(pieces, b"")
    return response._replace(pieces=_resumed(first, pieces)) if first else response


async def _resumed(first: Piece, rest: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    async with aclosing(rest):
        yield first
        del first  # a client that reads slowly would keep it in memory
        async for piece in rest:
            yield piece


async def send_pieces(pieces: Pieces, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the body of a response whose start is sent. A client that disconnects cancels the iterator.

    Raises what the iterator raises; the server then closes the connection, so that the client sees a truncated body.
    """
    sending = asyncio.create_task(_send_all(pieces, ZERO_COPY_SEND in scope.get("extensions", ()), send))
    watching = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:  # the server stops: the client does not get the rest
        await send({"type": "http.response.body", "body": b"", "more_body": True, ABORT: True})
        raise
    finally:
        watching.cancel()
        if not sending.done():
            sending.cancel()
        await asyncio.wait((sending, watching))
    if not sending.cancelled():
        sending.result()


async def _send_all(pieces: Pieces, reads_files: bool, send: Send) -> None:
    async with aclosing(_generator(pieces)) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, FileRange):
                await _send_file(chunk, reads_files, send)
            else:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            del chunk
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_file(part: FileRange, reads_files: bool, send: Send) -> None:
    """Leaves a part of a file to the server, or reads it for a server that does not read files."""
    if reads_files:
        place = {"file": part.file, "offset": part.start, "count": part.end - part.start}
        await send({"type": ZERO_COPY_SEND, **place, "more_body": True})
        return
    async with aclosing(_in_threads(read_range(part))) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _generator(pieces: Pieces) -> AsyncGenerator[Piece, None]:
    if isinstance(pieces, AsyncGenerator):
        return pieces
    return _in_threads(iter(pieces)) if isinstance(pieces, Iterable) else _on_loop(pieces)


async def _on_loop(pieces: AsyncIterable[Piece]) -> AsyncGenerator[Piece, None]:
    async for piece in pieces:
        yield piece


async def _in_threads(pieces: Iterator[Piece]) -> AsyncGenerator[Piece, None]:
    """The pieces of a plain iterator, whose code may block; it is closed when no thread runs it any more."""
    try:
        while True:
            made = asyncio.ensure_future(asyncio.to_thread(next, pieces, None))
            try:
                piece = await asyncio.shield(made)
            finally:
                await asyncio.wait((made,))
            if piece is None:
                return
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            await asyncio.to_thread(close)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
