"""Standard output and standard error of a server: open from the start, and never waited for.

Decision 65.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import TextIO

from web.telemetry.access_log import access_log
from web.telemetry.line_writer import LineWriter

_replaced: list[TextIO] = []


class LineStream(io.TextIOBase):
    """A text stream whose lines are written by a LineWriter, so that `print` and tracebacks never wait either."""

    def __init__(self, descriptor: int) -> None:
        self.writer = LineWriter(descriptor, access_log.flush)
        self._descriptor = descriptor
        self._local = threading.local()

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Hands complete lines to the writer; the beginning of a line waits for its end, in each thread."""
        *lines, self._local.text = (self._unfinished() + text).split("\n")
        if lines:
            self.writer.write([line.encode("utf-8", "backslashreplace") + b"\n" for line in lines])
        return len(text)

    def flush(self) -> None:
        """Hands over the beginning of a line too."""
        if text := self._unfinished():
            self._local.text = ""
            self.writer.write([text.encode("utf-8", "backslashreplace")])

    def _unfinished(self) -> str:
        text: str = getattr(self._local, "text", "")
        return text


def replace() -> None:
    """Makes sys.stdout and sys.stderr streams that nobody waits for; a server calls this before it announces itself."""
    # The former streams are kept: a stream that nobody refers to closes its descriptor.
    _replaced.extend((sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = LineStream(1), LineStream(2)


def stderr_writer() -> LineWriter:
    """The writer of standard error; a new one unless `replace` was called."""
    stream = sys.stderr
    return stream.writer if isinstance(stream, LineStream) else LineWriter(stream.fileno(), access_log.flush)
