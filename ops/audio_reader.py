"""Decodes audio files in a child process with limits.

What a file unpacks to has no bound: a tag of 43 KB becomes 20 MB, a megabyte of silence becomes days, and a decoder may
crash. The limits are those of the child. When it exceeds one it is replaced, so that one file costs at most its limit
of time.
"""

import json
import multiprocessing
import os
import resource
import signal
from contextlib import suppress
from fractions import Fraction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from ops import audio_completeness, audio_decoding
from ops.audio_decoding import INSTALL, MAX_MS, Audio, Decoder, Unreadable
from ops.errors import CommandError

# For any file, and for each MiB of it: two minutes of an MP3, which a busy core decodes in a second.
SECONDS, SECONDS_PER_MIB = 10.0, 2.0
MEMORY_LIMIT_BYTES = 256 * 2**20
START_SECONDS = 60.0
# A child whose parent was killed, and cannot kill it any more, ends itself this long after its limit.
ORPHAN_SECONDS = 30
# A title of 512 characters, escaped in JSON, and the rest of an answer.
ANSWER_BYTES = 16 * 2**10


class Description(NamedTuple):
    """What an audio file is: media type, measured duration in milliseconds, and title, which is empty without a tag."""

    mime_type: str
    duration_ms: int
    title: str


def read(path: Path, decode: Decoder) -> Description:
    """What a file is, without limits. Raises Unreadable; MemoryError within a limit."""
    audio = _decode(path, decode)
    if not 0 < audio.duration_ms <= MAX_MS:
        raise Unreadable("contains no audio" if not audio.samples else "too short or too long")
    with path.open("rb") as file:
        if not audio_completeness.is_complete(file, audio):
            raise Unreadable(f"cut off: what is there plays for {_seconds(audio.duration)} s")
    return Description(audio.mime_type, audio.duration_ms, audio.title)


def limit_seconds(size: int) -> float:
    """The seconds in which a file of `size` bytes must be decoded."""
    return SECONDS + SECONDS_PER_MIB * (size // 2**20)


class AudioReader:
    """Reads files in a child process, which is started for the first file and replaced after a limit.

    `seconds` is the limit of a file, whatever its size; `library` the package that decodes, if not the best one.
    Raises CommandError if none is installed.
    """

    def __init__(self, seconds: float | None = None, library: str | None = None) -> None:
        found = library or audio_decoding.library()
        if found is None:
            raise CommandError(f"Audio files cannot be read without a decoder: {INSTALL}.")
        self._library = found
        self._seconds = seconds
        self._child: tuple[BaseProcess, Connection] | None = None

    def read(self, path: Path) -> Description:
        """What a file is. Raises Unreadable, also for a file that exceeds a limit."""
        self._child = self._child or _start(self._library)
        seconds = self._seconds or limit_seconds(path.stat().st_size)
        try:
            answer = _ask(self._child[1], path, seconds)
        except (OSError, EOFError):  # TimeoutError is an OSError
            self.close()
            answer = None
        if answer is None:
            megabytes = MEMORY_LIMIT_BYTES // 2**20
            raise Unreadable(f"could not be decoded within {seconds:g} s and {megabytes} MiB")
        if "reason" in answer:
            raise Unreadable(answer["reason"])
        return Description(**answer)

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


def _decode(path: Path, decode: Decoder) -> Audio:
    try:
        return decode(path)
    except (Unreadable, MemoryError, OSError):
        raise
    except Exception as error:
        # A damaged file can raise any exception of a decoder, and none may stop the import.
        raise Unreadable("damaged") from error


def _seconds(duration: Fraction) -> str:
    return f"{float(duration):.1f}"


def _ask(connection: Connection, path: Path, seconds: float) -> dict[str, Any] | None:
    """The child's answer; None after its memory limit. Raises TimeoutError, and OSError or EOFError if it died."""
    connection.send_bytes(b"%d %b" % (seconds, bytes(path)))
    return _receive(connection, seconds)


def _start(library: str) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, library), name="audio-reader", daemon=True)
    process.start()
    theirs.close()
    _receive(ours, START_SECONDS)
    return process, ours


def _receive(connection: Connection, seconds: float) -> dict[str, Any] | None:
    if not connection.poll(seconds):
        raise TimeoutError
    answer: dict[str, Any] | None = json.loads(connection.recv_bytes(ANSWER_BYTES))
    return answer


def _serve(connection: Connection, library: str) -> None:
    """Answers for one path after another, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's, which kills this process
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain there about what a file contains
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The data segment and private memory; unlike RLIMIT_AS not the libraries, whose size differs between systems.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    decode = audio_decoding.decoder(library)
    answer: dict[str, Any] | None = {}
    with suppress(EOFError, BrokenPipeError):
        while True:
            connection.send_bytes(json.dumps(answer).encode())
            seconds, path = connection.recv_bytes().split(b" ", 1)
            signal.alarm(int(seconds) + ORPHAN_SECONDS)
            answer = _answer(Path(os.fsdecode(path)), decode)
            signal.alarm(0)


def _answer(path: Path, decode: Decoder) -> dict[str, Any] | None:
    try:
        return read(path, decode)._asdict()
    except Unreadable as reason:
        return {"reason": str(reason)}
    except MemoryError:
        return None
    except OSError as error:
        return {"reason": f"cannot be opened: {error.strerror}"}
