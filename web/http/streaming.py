"""Sends a body piece by piece, until the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing

from web.asgi import Receive, Send
from web.responses import ABORT, Piece, Pieces, Response


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


async def send_pieces(pieces: Pieces, receive: Receive, send: Send) -> None:
    """Sends the body of a response whose start is sent. A client that disconnects cancels the iterator.

    Raises what the iterator raises; the server then closes the connection, so that the client sees a truncated body.
    """
    sending = asyncio.create_task(_send_all(pieces, send))
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


async def _send_all(pieces: Pieces, send: Send) -> None:
    async with aclosing(_generator(pieces)) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            del chunk
    await send({"type": "http.response.body", "body": b"", "more_body": False})


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
