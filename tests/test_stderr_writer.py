"""Log writing: whole lines in order, without loss at exit."""

import asyncio
import json
import os
import subprocess
import sys
import threading

from tools.testing.service import ROOT
from web.number_cache import MAX_CACHED, FormattedNumbers
from web.telemetry.access_log import MAX_BUFFERED, AccessLog, RequestRecord, RequestTuple, format_line
from web.telemetry.stderr_writer import ATOMIC_WRITE_BYTES, StderrWriter

# Program that writes lines of one letter as fast as possible.
WRITER = """
import sys
from web.telemetry.stderr_writer import StderrWriter
letters = [sys.argv[1].encode() * (number % 1000 + 1) + b"\\n" for number in range(4000)]
for start in range(0, 4000, 16):
    StderrWriter(2).write(letters[start : start + 16])
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
        lines = StderrWriter(write, requests.flush)
        requests.write = lambda records: lines.write(record[0].encode() + b"\n" for record in records)
        for number in range(3):
            requests.add(_record(str(number)))
        lines.msg("now")
        for number in range(MAX_BUFFERED):
            requests.add(_record(str(number)))
        many = b"".join(b"%d\n" % number for number in range(MAX_BUFFERED))
        assert os.read(read, ATOMIC_WRITE_BYTES) == b"0\n1\n2\nnow\n" + many
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
    StderrWriter(write).msg("to nobody")
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
    StderrWriter(write).msg(text)
    reader.join(30)
    assert b"".join(found) == text.encode() + b"\n"
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
