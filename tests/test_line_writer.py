"""Log writing: whole lines in order, without loss at exit."""

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
import threading

import pytest
import structlog

from tools.testing.service import ROOT
from web.number_cache import MAX_CACHED, FormattedNumbers
from web.telemetry.access_log import MAX_BUFFERED, AccessLog, RequestRecord, RequestTuple, format_line
from web.telemetry.line_writer import ATOMIC_WRITE_BYTES, LineWriter
from web.telemetry.standard_streams import LineStream

# Program that writes lines of one letter as fast as possible.
WRITER = """
import sys
from web.telemetry.line_writer import LineWriter
letters = [sys.argv[1].encode() * (number % 1000 + 1) + b"\\n" for number in range(4000)]
writer = LineWriter(2, max_bytes=10_000_000)
for start in range(0, 4000, 16):
    writer.write(letters[start : start + 16])
writer.drain(60)
"""


def test_lines_of_several_processes_are_not_interleaved_or_lost() -> None:
    read, write = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, letter], stderr=write, cwd=ROOT) for letter in "ab"]
    os.close(write)
    # Small reads, so that the pipe fills and a writer blocks in the middle of a long write.
    with os.fdopen(read, "rb", buffering=0) as pipe:
        found = b"".join(iter(lambda: pipe.read(1000), b"")).split(b"\n")[:-1]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(found) == 2 * 4000
    assert all(len(set(line)) == 1 for line in found)


def test_buffered_requests_are_written_before_later_messages() -> None:
    read, write = os.pipe()

    async def log() -> None:
        requests = AccessLog()
        lines = LineWriter(write, requests.flush)
        requests.write = lambda records: lines.write(record[0].encode() + b"\n" for record in records)
        for number in range(3):
            requests.add(_record(str(number)))
        lines.msg("now")
        for number in range(MAX_BUFFERED):
            requests.add(_record(str(number)))
        many = b"".join(b"%d\n" % number for number in range(MAX_BUFFERED))
        expected, received = b"0\n1\n2\nnow\n" + many, b""
        while len(received) < len(expected):  # the thread writes when it likes
            received += os.read(read, ATOMIC_WRITE_BYTES)
        assert received == expected
        requests.add(_record("at last"))
        assert await asyncio.to_thread(os.read, read, ATOMIC_WRITE_BYTES) == b"at last\n"

    asyncio.run(log())
    os.close(write)
    os.close(read)


def _record(request_id: str) -> RequestTuple:
    return request_id, "GET", "list_things", 200, 0.0012345, "mkey_1", None, 1_795_000_000.25


def test_closed_pipe_does_not_raise() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LineWriter(write)
    writer.msg("to nobody")
    writer.drain()
    assert writer.lost == 1
    os.close(write)


def test_slow_reader_gets_every_byte() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    text = "x" * 300_000
    found: list[bytes] = []

    def read_all() -> None:
        while sum(map(len, found)) < len(text) + 1:
            found.append(os.read(read, 65_536))

    reader = threading.Thread(target=read_all)
    reader.start()
    writer = LineWriter(write)
    writer.msg(text)
    reader.join(30)
    assert b"".join(found) == text.encode() + b"\n"
    writer.drain()
    os.close(write)
    os.close(read)


def test_unread_pipe_delays_nobody_and_its_lost_lines_are_logged() -> None:
    read, write = os.pipe()
    os.write(write, b"." * (fcntl.fcntl(write, fcntl.F_GETPIPE_SZ) - 1) + b"\n")
    writer = LineWriter(write, max_bytes=2000)
    structlog.configure(logger_factory=lambda *_: writer)
    try:
        for _ in range(20):
            writer.write([b"x" * 999 + b"\n"])
        assert writer.lost == 18
        found = b""
        while b"log lines lost" not in found:
            found += os.read(read, 65_536)
    finally:
        structlog.reset_defaults()
    _, *whole, last = found.splitlines()
    assert whole == [b"x" * 999] * 2
    assert b"18" in last
    os.close(write)
    os.close(read)


def test_line_torn_by_a_full_device_is_completed_when_there_is_space(monkeypatch: pytest.MonkeyPatch) -> None:
    device, space = [b""], [0]

    def write(_descriptor: int, text: bytes) -> int:
        taken = text[: space[0]]
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        device[0] += taken
        space[0] -= len(taken)
        return len(taken)

    monkeypatch.setattr(os, "write", write)
    writer = LineWriter(-1)
    for lines, free in (([b"one\n", b"two\n"], 6), ([b"three\n"], 0), ([b"four\n"], 100)):
        space[0] = free
        writer.write(lines)
        writer.drain()
    assert device == [b"one\ntwo\nfour\n"]
    assert writer.lost == 3  # the line that was torn counts too: nobody knows whether there will be space


def test_text_of_print_is_written_in_whole_lines() -> None:
    read, write = os.pipe()
    stream = LineStream(write)
    print("a", 1, file=stream)
    print("no end", end="", file=stream)
    stream.writer.drain()
    assert os.read(read, 100) == b"a 1\n"
    print(file=stream, flush=True)
    stream.writer.drain()
    assert os.read(read, 100) == b"no end\n"
    os.close(write)
    os.close(read)


def test_access_log_lines_are_json_with_the_same_fields() -> None:
    usual = RequestRecord._make(_record("req_1"))
    first, second, third = (
        json.loads(format_line(record))
        for record in (usual, usual._replace(operation=None, key_id=None), usual._replace(trace="4bf92f3577b34da6"))
    )
    assert first == {
        "trace_id": "req_1", "method": "GET", "operation": "list_things", "status": 200, "ms": 1.234,
        "key_id": "mkey_1", "event": "request", "level": "info", "timestamp": "2026-11-18T11:06:40.250Z",
    }  # fmt: skip
    assert second == first | {"operation": None, "key_id": None}
    assert third == first | {"trace": "4bf92f3577b34da6"}
    assert list(second) == list(first)


def test_number_cache_is_bounded_and_formats_once() -> None:
    asked: list[float] = []

    def write(number: float) -> str:
        asked.append(number)
        return f"<{number}>"

    written = FormattedNumbers(write)
    assert [written[7], written[7]] == ["<7>", "<7>"]
    assert asked == [7]
    for number in range(2 * MAX_CACHED):
        assert written[number] == f"<{number}>"
    assert len(written) <= MAX_CACHED
