"""Log lines on their way out: whole, in order, and none lost when the process ends."""

import asyncio
import json
import os
import subprocess
import sys
import threading

from edge.lines import MOST_LINES, WHOLE_BYTES, Lines, Requests
from tests.harness import ROOT

# Two processes that write to one pipe as fast as they can, each its own letter.
WRITER = """
import asyncio, sys
from edge.lines import Lines
async def write():
    lines = Lines(2)
    for number in range(4000):
        lines.gather(sys.argv[1].encode() * (number % 1000 + 1) + b"\\n")
asyncio.run(write())
"""


def test_lines_of_several_processes_stay_whole_and_none_is_lost() -> None:
    read, write = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, letter], stderr=write, cwd=ROOT) for letter in "ab"]
    os.close(write)
    # In small bites, so that the pipe is full and a writer has to wait in the middle of a long write.
    with os.fdopen(read, "rb", buffering=0) as pipe:
        found = b"".join(iter(lambda: pipe.read(1000), b"")).split(b"\n")[:-1]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(found) == 2 * 4000
    assert all(len(set(line)) == 1 for line in found)


def test_what_was_gathered_goes_out_before_what_came_later() -> None:
    read, write = os.pipe()

    async def log() -> None:
        lines = Lines(write)
        for number in range(3):
            lines.gather(b"%d\n" % number)
        lines.msg("now")
        for number in range(MOST_LINES):
            lines.gather(b"%d\n" % number)
        assert os.read(read, WHOLE_BYTES) == b"0\n1\n2\nnow\n" + b"".join(b"%d\n" % n for n in range(MOST_LINES))
        lines.gather(b"at last\n")
        await asyncio.to_thread(_read_line, read)

    asyncio.run(log())
    os.close(write)
    os.close(read)


def _read_line(read: int) -> None:
    assert os.read(read, WHOLE_BYTES) == b"at last\n"


def test_a_reader_that_has_gone_stops_nobody() -> None:
    read, write = os.pipe()
    os.close(read)
    Lines(write).msg("to nobody")
    os.close(write)


def test_a_reader_that_is_slow_loses_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    text = "x" * 300_000
    found: list[bytes] = []

    def read_all() -> None:
        while sum(map(len, found)) < len(text) + 1:
            found.append(os.read(read, 65_536))

    reader = threading.Thread(target=read_all)
    reader.start()
    Lines(write).msg(text)
    reader.join(30)
    assert b"".join(found) == text.encode() + b"\n"
    os.close(write)
    os.close(read)


def test_every_line_of_a_request_is_json_with_the_same_fields() -> None:
    read, write = os.pipe()

    async def tell() -> None:
        lines = Lines(write)
        requests = Requests(lines)
        requests.tell("req_1", "GET", "list_things", 200, 0.0012345, "mkey_1", None)
        requests.tell("req_2", "GET", None, 404, 0.1, None, None)
        requests.tell("req_3", "GET", "list_things", 200, 0.1, "mkey_1", "4bf92f3577b34da6a3ce929d0e0e4736")
        lines.flush()

    asyncio.run(tell())
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        first, second, third = (json.loads(line) for line in pipe.read().splitlines())
    assert first | {"timestamp": ""} == {
        "trace_id": "req_1", "method": "GET", "operation": "list_things", "status": 200, "ms": 1.234,
        "key_id": "mkey_1", "event": "request", "level": "info", "timestamp": "",
    }  # fmt: skip
    assert (second["operation"], second["key_id"]) == (None, None)
    assert list(second) == list(first)
    assert third["trace"] == "4bf92f3577b34da6a3ce929d0e0e4736"
