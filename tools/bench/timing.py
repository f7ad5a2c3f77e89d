"""Timing test: neither times nor bytes of responses reveal another user's ids. `python -m tools.bench.timing`"""

from __future__ import annotations

import argparse
import gc
import json
import random
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from models.db.database import Database
from tools.bench import data, databases, servers, timing_comparison, timing_data
from tools.bench.progress import Bar
from tools.bench.targets import BY_NAME, OURS
from tools.bench.timing_comparison import CLASSES, MAX_AUC, MAX_T
from tools.bench.timing_requests import TestedRequest, tested_requests
from tools.bench.timing_results import Results
from tools.bench.workloads import AT, Request

PER_CLASS, CHECKED, SEED = 20_000, 100, 1
# The parts that differ between any two responses: request id, times, and the id in the request.
_VARIABLE = re.compile(
    rb"req_[0-9a-f]{16}|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=date: )[^\r]+|(?:mcoll|mtrack|mslink|mjob|mfocus)_[0-9a-f]{12}"
)
METHOD = f"""\
Method: one keep-alive connection; ids of three classes in random order: of another user of the organization (tokens:
of a revoked or expired link), unused (a new one each time), and unused again, which is the control. The bytes must be
equal except for ids and times. The slowest tenth of all times is cropped; then Welch's t, the AUC of Mann and Whitney,
and the difference of the medians.
Goal: |t| < {MAX_T} and |AUC - 0.5| < {MAX_AUC} (with few requests: 4.5 standard errors), for the control too."""
HEAD = f"\n\n{'':46}{'median':>10}{'t':>8}{'AUC':>8}{'difference':>11}   control: t, AUC, difference\n"


class Line:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, raw: bytes) -> tuple[int, bytes]:
        """The response time in nanoseconds, and the response. Raises RuntimeError if the server closes first."""
        started = time.perf_counter_ns()
        self._socket.sendall(raw)
        response = self._socket.recv(65536)
        while not _is_complete(response):
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"The server closed the connection after {response!r}")
            response += more
        return time.perf_counter_ns() - started, response

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()


def _is_complete(response: bytes) -> bool:
    head, end, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if end and length is None:
        raise RuntimeError(f"A response without Content-Length: {response!r}")
    return bool(end) and length is not None and len(body) >= int(length[1])


def main() -> int:
    """Exit status: 0 no difference, 1 a difference was found, 2 the machine is too noisy."""
    options, results, verdicts = _options(), Results(), set()
    random.seed(options.seed)
    print(METHOD + HEAD, end="", flush=True)
    for kind in options.databases:
        for row in _measure(kind, options, results):
            results.add(row)
            verdicts.add(row["verdict"])
            print(_line(row), end="", flush=True)
    return 1 if "different" in verdicts else 2 if "too noisy" in verdicts else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.timing", description=__doc__)
    parser.add_argument("--per-class", type=int, default=PER_CLASS, metavar="N", help="requests of each class")
    parser.add_argument("--databases", nargs="+", choices=databases.KINDS, default=list(databases.KINDS))
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="requests with this in their name")
    parser.add_argument("--again", action="store_true", help="measure again what docs/timing.json has")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no request after so many minutes")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order of the classes and of unused ids")
    return parser.parse_args()


def _measure(kind: str, options: argparse.Namespace, results: Results) -> Iterator[dict[str, Any]]:
    """The figures of the chosen requests that are not measured yet, while there is time."""
    ends = time.monotonic() + 60 * options.minutes
    core, _, another = databases.cores()
    with databases.fresh(kind, another) as url, tempfile.TemporaryDirectory() as folder:
        loaded = data.load(url)
        with Database(url):
            foreign = timing_data.foreign_ids(loaded.read)
        first = Request("GET", f"{AT}/{loaded.big}/tracks?limit=100", loaded.reader)
        with servers.running(BY_NAME[OURS], url, data.PEPPER, first, Path(folder) / "log", core) as server:
            listed = [item["track_id"] for item in json.loads(servers.send(server.port, first)[1])["items"]]
            for request in tested_requests(loaded.written[0], listed):
                is_chosen = any(word in request.name for word in options.only)
                is_due = options.again or not results.has(kind, request.name, options.per_class)
                if is_chosen and is_due and time.monotonic() < ends:
                    theirs = foreign[request.foreign]
                    with closing(Line(server.port)) as line:
                        figures = _compare(line, request, loaded.writer, theirs, options.per_class, kind)
                    yield {"database": kind, "request": request.name, "asked": options.per_class} | figures


def _compare(
    line: Line, request: TestedRequest, key: str, foreign: list[str], per_class: int, kind: str
) -> dict[str, Any]:
    """Compares the bytes, which must be equal, then the times."""
    bar = Bar(request.name, CHECKED)
    responses = {response for _, _, response in _timed(line, request, key, foreign, CHECKED, bar)}
    if len(responses) > 1:
        shown = sorted(response.decode("latin-1") for response in responses)
        return {"verdict": "different", "bytes": shown}
    times: dict[str, list[int]] = {name: [] for name in CLASSES}
    with Bar(f"{kind}: {request.name}", per_class) as bar:
        for name, nanoseconds, response in _timed(line, request, key, foreign, per_class, bar):
            if response not in responses:
                raise RuntimeError(f"{request.name}: another response than at first: {response!r}")
            times[name].append(nanoseconds)
    return timing_comparison.verdict(times)


def _timed(
    line: Line, request: TestedRequest, key: str, foreign: list[str], rounds: int, bar: Bar
) -> Iterator[tuple[str, int, bytes]]:
    """Class, time and masked response of one request per class and round; each round has a random order."""
    gc.disable()
    for number in range(rounds):
        for name in random.sample(CLASSES, len(CLASSES)):
            # Both ids for every class: a longer pause of the client would change the response time of the server.
            theirs, unused = random.choice(foreign), request.unused()
            raw = request.to_bytes(key, theirs if name == CLASSES[0] else unused)
            nanoseconds, response = line.send(raw)
            yield name, nanoseconds, _VARIABLE.sub(b"*", response)
        if number % 100 == 99:
            bar.done += 99
            bar.step()
    gc.enable()


def _line(row: dict[str, Any]) -> str:
    line = f"{row['database']:<12}{row['request']:<34}{_figures(row)}   {row['verdict']}\n"
    return line + "".join(f"    {response!r}\n" for response in row.get("bytes", []))


def _figures(row: dict[str, Any]) -> str:
    if "result" not in row:
        return "the responses differ in their bytes"
    result, control = row["result"], row["control"]
    both = [f"{f['t']:+8.2f}{f['auc']:8.4f}{f['microseconds']:+8.1f} us" for f in (result, control)]
    return f"{row['median_us']:7.0f} us" + "".join(both)


if __name__ == "__main__":
    raise SystemExit(main())
