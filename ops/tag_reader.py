"""Reads titles and durations of audio files in a child process with limits.

A tag may be compressed, and a reader of tags unpacks it without a bound: 43 KB become 20 MB, and then take minutes. The
limits are those of the child. When it exceeds one it is replaced, so that one file costs at most its limit of time.
"""

import json
import multiprocessing
import os
import resource
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from unicodedata import category

import mutagen

TITLE_TAGS = ("title", "TIT2", "Title")  # Vorbis comments, MP4 and MP3; ID3 in WAV and AIFF; APEv2 and ASF
TITLE_LENGTH = 512
MAX_MS = 2**31 - 1
TIME_LIMIT_SECONDS = 10.0
MEMORY_LIMIT_BYTES = 256 * 2**20
START_SECONDS = 60.0
# A child whose parent was killed, and cannot kill it any more, ends itself.
ORPHAN_SECONDS = 30
# A title of 512 characters, escaped in JSON, and the rest of an answer.
ANSWER_BYTES = 16 * 2**10


class Unreadable(Exception):
    """A file that cannot be imported; the text is the reason."""


class Tags(NamedTuple):
    """Title of at most 512 characters, and duration in milliseconds."""

    title: str
    duration_ms: int


def read(path: Path) -> Tags:
    """The tags of a file, without limits. Raises Unreadable; MemoryError within a limit."""
    try:
        audio = mutagen.File(path, easy=True)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    except MemoryError:
        raise
    except Exception as error:
        # The tag readers can raise any exception for a damaged file, and none may stop the import.
        raise Unreadable(f"damaged: {_one_line(str(error))[:TITLE_LENGTH] or type(error).__name__}") from error
    if audio is None:
        raise Unreadable("not an audio file")
    return Tags(_title(audio, path), _duration(audio))


class TagReader:
    """Reads files in a child process, which is started for the first file and replaced after a limit.

    `time_limit_seconds` is per file.
    """

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        self._time_limit_seconds = time_limit_seconds
        self._child: tuple[BaseProcess, Connection] | None = None

    def read(self, path: Path) -> Tags:
        """The tags of a file. Raises Unreadable, also for a file that exceeds a limit."""
        self._child = self._child or _start()
        try:
            answer = self._ask(self._child[1], path)
        except (OSError, EOFError):  # TimeoutError is an OSError
            self.close()
            answer = None
        if answer is None:
            megabytes = MEMORY_LIMIT_BYTES // 2**20
            raise Unreadable(f"its tags could not be read within {self._time_limit_seconds:g} s and {megabytes} MiB")
        if "reason" in answer:
            raise Unreadable(answer["reason"])
        return Tags(answer["title"], answer["duration_ms"])

    def close(self) -> None:
        """Ends the child."""
        if self._child is not None:
            process, connection = self._child
            self._child = None
            connection.close()
            process.kill()
            process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, connection: Connection, path: Path) -> dict[str, Any] | None:
        """The child's answer; None after its memory limit. Raises TimeoutError, and OSError or EOFError if it died."""
        connection.send_bytes(bytes(path))
        return _receive(connection, self._time_limit_seconds)


def _start() -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="tag-reader", daemon=True)
    process.start()
    theirs.close()
    _receive(ours, START_SECONDS)
    return process, ours


def _receive(connection: Connection, seconds: float) -> dict[str, Any] | None:
    if not connection.poll(seconds):
        raise TimeoutError
    answer: dict[str, Any] | None = json.loads(connection.recv_bytes(ANSWER_BYTES))
    return answer


def _serve(connection: Connection) -> None:
    """Answers with the tags of one path after another, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's, which kills this process
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The data segment and private memory; unlike RLIMIT_AS not the libraries, whose size differs between systems.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    answer: dict[str, Any] | None = {}
    with suppress(EOFError, BrokenPipeError):
        while True:
            connection.send_bytes(json.dumps(answer).encode())
            path = Path(os.fsdecode(connection.recv_bytes()))
            signal.alarm(ORPHAN_SECONDS)
            answer = _answer(path)
            signal.alarm(0)


def _answer(path: Path) -> dict[str, Any] | None:
    try:
        return read(path)._asdict()
    except Unreadable as reason:
        return {"reason": str(reason)}
    except MemoryError:
        return None


def _title(audio: mutagen.FileType, path: Path) -> str:
    tags: Any = audio.tags
    for tag in TITLE_TAGS:
        values = tags.get(tag) if tags else None
        if text := _one_line(str(values[0])) if values else "":
            return text[:TITLE_LENGTH]
    return _one_line(path.stem)[:TITLE_LENGTH] or "Untitled"


def _one_line(text: str) -> str:
    valid = text.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if category(char) == "Cc" else char for char in valid).split())


def _duration(audio: mutagen.FileType) -> int:
    milliseconds = round(getattr(audio.info, "length", 0) * 1000)
    if not 0 < milliseconds <= MAX_MS:
        raise Unreadable("contains no audio, or no duration")
    return milliseconds
