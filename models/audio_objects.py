"""Audio in S3, or in memory for tests and the mock: the part of the audio store that uses obstore."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import obstore
from obstore.store import MemoryStore, S3Store

from models.audio import StoredObject
from models.exceptions import AudioUnavailable, Failure, NoAudio

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# A request fetches so much, because each has its price, and hands it on in smaller pieces.
FETCH_BYTES = 256 * 1024
PART_BYTES = 8 * 1024 * 1024  # of a multipart upload; S3 allows 5 MiB and more
UPLOADS = 2  # parts at the same time, each of them in memory
LIST_OBJECTS = 1000
READ_SECONDS = 10  # for one range, because a player waits
CLIENT: ClientConfig = {
    "allow_http": True,  # AWS_ENDPOINT_URL decides, as everywhere else
    "connect_timeout": timedelta(seconds=2),
    "timeout": timedelta(seconds=30),
}
RETRY: RetryConfig = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
# Error codes of S3, and what the operator can do.
_REASONS = {
    "SignatureDoesNotMatch": "it refuses the signature, so AWS_SECRET_ACCESS_KEY is wrong",
    "InvalidAccessKeyId": "it does not know the key in AWS_ACCESS_KEY_ID",
    "AccessDenied": "the key in AWS_ACCESS_KEY_ID has no right to do this",
    "NoSuchBucket": "there is no such bucket",
    "InvalidRange": "the object is shorter than its track says",
    "RequestTimeTooSkewed": "its clock and the clock of this machine differ",
}
# In the messages of obstore: the code in an answer of S3, the status of an answer, what the system or hyper says.
_CODE = re.compile("<Code>([A-Za-z]+)</Code>")
_PARTS = [re.compile(part) for part in ("status code: ([0-9]{3} [A-Za-z ]+)", 'message: "([^"]*)"', " - ([^\n]*)")]
# Without a key in the environment, obstore asks the machine of AWS for one.
_METADATA, _NO_KEY = "/latest/api/token", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"


class Objects:
    """A bucket of S3 (`s3://BUCKET/PREFIX`, with the AWS_* variables), or a store in memory."""

    def __init__(self, url: str) -> None:
        self._s3: S3Store | None = None
        self._store: S3Store | MemoryStore
        if url.startswith("memory:"):
            self._store = MemoryStore()
            return
        with _translated_errors():
            self._store = self._s3 = S3Store.from_url(url, client_options=CLIENT, retry_config=RETRY)

    def put(self, name: str, pieces: Iterator[bytes], mime_type: str) -> int:
        """Writes an object, as a whole or not at all; returns its size."""
        head, size = bytearray(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                size += len(piece)
                yield piece

        rest = counted()
        while len(head) < PART_BYTES and (piece := next(rest, None)) is not None:
            head += piece
        is_small = len(head) < PART_BYTES
        with _translated_errors():
            obstore.put(
                self._store,
                name,
                head if is_small else chain([head], rest),
                attributes={"Content-Type": mime_type},
                use_multipart=not is_small,
                chunk_size=PART_BYTES,
                max_concurrency=UPLOADS,
            )
        return size

    async def read(self, name: str, start: int, end: int, piece_bytes: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, end) in pieces. Each request fetches a range, so that no connection waits for a reader."""
        while start < end:
            upto = min(start + FETCH_BYTES, end)
            with _found():
                fetched = await asyncio.wait_for(
                    obstore.get_range_async(self._store, name, start=start, end=upto), READ_SECONDS
                )
            if len(fetched) != upto - start:
                raise AudioUnavailable(f"the object {name} is shorter than it was")
            view = memoryview(fetched)
            for offset in range(0, len(view), piece_bytes):
                yield bytes(view[offset : offset + piece_bytes])
            start = upto

    def pieces(self, name: str) -> Iterator[bytes]:
        """The whole object in pieces."""
        with _found():
            for piece in obstore.get(self._store, name).stream(min_chunk_size=FETCH_BYTES):
                yield bytes(piece)

    def delete(self, name: str) -> None:
        """Deletes an object, if it is there."""
        with suppress(NoAudio), _found():
            obstore.delete(self._store, name)

    def list(self, organization_id: str) -> Iterator[StoredObject]:
        """All objects, or those of one organization."""
        with _translated_errors():
            for page in obstore.list(self._store, organization_id or None, chunk_size=LIST_OBJECTS):
                for found in page:
                    yield StoredObject(found["path"], found["size"], found["last_modified"])

    def size(self, name: str) -> int | None:
        """The size of an object, or None."""
        try:
            with _found():
                return self._size(name)
        except NoAudio:
            return None

    def _size(self, name: str) -> int:
        try:
            return obstore.head(self._store, name)["size"]
        except FileNotFoundError:  # object or bucket: only the answer to GET has a body that says which
            return obstore.get(self._store, name).meta["size"]

    def signed_url(self, name: str, seconds: int) -> str:
        """A URL that is signed for GET. Raises ValueError for a store in memory."""
        if self._s3 is None:
            raise ValueError("A store in memory gives no signed URLs.")
        with _translated_errors():
            return obstore.sign(self._s3, "GET", name, timedelta(seconds=seconds))


@contextmanager
def _found() -> Iterator[None]:
    """Raises NoAudio for an object that does not exist, but not if S3 misses the bucket or the key of the request."""
    with _translated_errors():
        try:
            yield
        except FileNotFoundError as error:
            code = _CODE.search(str(error))
            if code and code[1] != "NoSuchKey":
                raise
            raise NoAudio("Audio not found") from None


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raises AudioUnavailable for whatever obstore raises, but for values that it cannot send: these are bugs."""
    try:
        yield
    except (Failure, GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError):
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        if isinstance(error, (TypeError, ValueError, OverflowError)) and not isinstance(error, UnicodeDecodeError):
            raise
        raise AudioUnavailable(_reason(str(error))) from error


def _reason(message: str) -> str:
    """What the operator can do, what S3 answers, or what the system says: without the address of the request."""
    if code := _CODE.search(message):
        return _REASONS.get(code[1], f"it answers {code[1]}")
    if _METADATA in message:
        return _NO_KEY
    if not message:
        return "it does not answer"
    found = next((part for pattern in _PARTS if (part := pattern.search(message))), None)
    return (found[1] if found else message.partition("\n")[0]).strip(". ").lower()
