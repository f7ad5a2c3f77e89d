"""Timing test: neither times nor bytes of responses reveal another user's ids. `python -m tools.bench.timing`"""

from __future__ import annotations

import argparse
import gc
import json
import random
import re
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import organizations, tracks
from models.db.database import Database
from tools.bench import data, databases, servers, timing_data
from tools.bench.progress import Bar
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import AT, Request

PER_CLASS, CHECKED, FOREIGN_TRACKS, ELSEWHERE = 20_000, 100, 500, "org_elsewhere"
HOME, SHARED, TOKEN = AT.removesuffix("/collections"), "/v1/music/shared", "shr_"
MAX_T, MAX_AUC, CROP = 4.5, 0.02, 0.9
CLASSES = ("foreign", "absent", "absent again")
# The parts that differ between any two responses: request id, times, and the id in the request.
_VARIABLE = re.compile(
    rb"req_[0-9a-f]{16}|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=date: )[^\r]+|(?:mcoll|mtrack|mslink)_[0-9a-f]{12}"
)
METHOD = f"""\
Method: one keep-alive connection; ids of three classes in random order: of another user of the organization (tokens:
of a revoked or expired link), unused (a new one each time), and unused again, which is the control. The bytes must be
equal except for ids and times. The slowest tenth of all times is cropped; then Welch's t, the AUC of Mann and Whitney,
and the difference of the medians.
Goal: |t| < {MAX_T} and |AUC - 0.5| < {MAX_AUC} (with few requests: 4.5 standard errors), for the control too."""
HEAD = f"\n\n{'':32}{'median':>10}{'t':>8}{'AUC':>8}{'difference':>11}   control: t, AUC, difference\n"


@dataclass(frozen=True)
class TestedRequest:
    """One request; `{}` in path or body is replaced by the id."""

    name: str
    method: str
    path: str
    body: str = ""
    more: str = ""
    prefix: str = "mcoll_"
    at: str = AT
    foreign: str = "collections"

    def to_bytes(self, key: str, identifier: str) -> bytes:
        body = self.body.replace("{}", identifier)
        typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {self.at}{self.path.replace('{}', identifier)} HTTP/1.1\r\nHost: localhost\r\n"
        return f"{head}X-API-Key: {key}\r\n{self.more}{typed}\r\n{body}".encode()

    def unused(self) -> str:
        """A new id, or a new token."""
        bits = 128 if self.prefix == TOKEN else 48
        return f"{self.prefix}{random.getrandbits(bits):0{bits // 4}x}"


@dataclass(frozen=True)
class Comparison:
    """How two classes of times differ; the difference of the medians is in microseconds."""

    t: float
    auc: float
    microseconds: float
    within_goal: bool


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


def _is_complete(response: bytes) -> bool:
    head, end, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if end and length is None:
        raise RuntimeError(f"A response without Content-Length: {response!r}")
    return bool(end) and length is not None and len(body) >= int(length[1])


def main() -> int:
    """Exit status: 0 no difference, 1 a difference was found, 2 the machine is too noisy."""
    options = _options()
    rows = []
    print("" if options.json else METHOD + HEAD, end="", flush=True)
    for kind in options.databases:
        for row in _measure(kind, options.per_class):
            rows.append(row)
            print("" if options.json else _line(row), end="", flush=True)
    print(json.dumps(rows, indent=1) if options.json else "")
    verdicts = {row["verdict"] for row in rows}
    return 1 if "different" in verdicts else 2 if "too noisy" in verdicts else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.timing", description=__doc__)
    parser.add_argument("--per-class", type=int, default=PER_CLASS, metavar="N", help="requests of each class")
    parser.add_argument("--databases", nargs="+", choices=databases.KINDS, default=list(databases.KINDS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _measure(kind: str, per_class: int) -> Iterator[dict[str, Any]]:
    core, _, another = databases.cores()
    with databases.fresh(kind, another) as url, tempfile.TemporaryDirectory() as folder:
        loaded = data.load(url)
        with Database(url):
            foreign = {"collections": loaded.read, "tracks": _tracks_elsewhere()} | timing_data.links(loaded.read)
        first = Request("GET", f"{AT}/{loaded.big}/tracks?limit=100", loaded.reader)
        with servers.running(BY_NAME[OURS], url, data.PEPPER, first, Path(folder) / "log", core) as server:
            listed = [item["track_id"] for item in json.loads(servers.send(server.port, first)[1])["items"]]
            for request in _tested_requests(loaded.written[0], listed):
                theirs = foreign[request.foreign]
                result = _compare(Line(server.port), request, loaded.writer, theirs, per_class, kind)
                yield {"database": kind, "request": request.name} | result


def _tracks_elsewhere() -> list[str]:
    """Ids of tracks of another organization."""
    organizations.join(ELSEWHERE, "user_elsewhere")
    added = [tracks.add(ELSEWHERE, "user_elsewhere", title="Theirs") for _ in range(FOREIGN_TRACKS)]
    return [track.id for track in added if track is not None]


def _tested_requests(mine: str, listed: list[str]) -> Iterator[TestedRequest]:
    """Every request with a collection id, the two with a track id in the body, and those of share links."""
    of_track = {"prefix": "mtrack_", "foreign": "tracks"}
    renamed, matched = '{"name": "Renamed"}', 'If-Match: "1"\r\n'
    yield TestedRequest("get", "GET", "/{}")
    yield TestedRequest("change", "PATCH", "/{}", renamed)
    yield TestedRequest("change of version 1", "PATCH", "/{}", renamed, matched)
    yield TestedRequest("delete", "DELETE", "/{}")
    yield TestedRequest("list tracks", "GET", "/{}/tracks?limit=500")
    yield TestedRequest("add a track", "POST", "/{}/tracks", json.dumps({"track_id": listed[0]}))
    yield TestedRequest("remove a track", "DELETE", f"/{{}}/tracks/{listed[0]}")
    yield TestedRequest("reorder", "PATCH", "/{}/order", json.dumps({"ordered_track_ids": listed[:12]}))
    yield TestedRequest("add a foreign track", "POST", f"/{mine}/tracks", '{"track_id": "{}"}', **of_track)
    yield TestedRequest("foreign cover", "POST", "", '{"name": "A", "cover_track_id": "{}"}', **of_track)
    yield TestedRequest("share a collection", "POST", "/{}/share")
    of_link = {"prefix": "mslink_", "foreign": "links"}
    yield TestedRequest("share a track", "POST", "/tracks/{}/share", at=HOME, **of_track)
    yield TestedRequest("revoke a link", "DELETE", "/share/{}", at=HOME, **of_link)
    for state in ("revoked", "expired"):
        of_token = {"prefix": TOKEN, "foreign": state, "at": SHARED}
        yield TestedRequest(f"open a {state} link", "GET", "/{}", **of_token)
        yield TestedRequest(f"save from a {state} one", "POST", "/{}/save", **of_token)


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
    return _verdict(times)


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


def _verdict(times: dict[str, list[int]]) -> dict[str, Any]:
    every = sorted(t for some in times.values() for t in some)
    limit = every[int(len(every) * CROP)]
    foreign, absent, again = ([t for t in times[name] if t < limit] for name in CLASSES)
    result, control = compare(foreign, absent), compare(again, absent)
    verdict = "too noisy" if not control.within_goal else "equal" if result.within_goal else "different"
    return {"verdict": verdict, "median_us": statistics.median(absent) / 1000,
            "per_class": len(times[CLASSES[0]]), "result": asdict(result), "control": asdict(control)}  # fmt: skip


def compare(first: Sequence[int], second: Sequence[int]) -> Comparison:
    """Welch's t, AUC and difference of medians of two lists of nanoseconds."""
    spread = statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    t = (statistics.fmean(first) - statistics.fmean(second)) / spread**0.5
    auc = _auc(first, second)
    error = ((len(first) + len(second) + 1) / (12 * len(first) * len(second))) ** 0.5
    within_goal = abs(t) < MAX_T and abs(auc - 0.5) < max(MAX_AUC, MAX_T * error)
    return Comparison(t, auc, (statistics.median(first) - statistics.median(second)) / 1000, within_goal)


def _auc(first: Sequence[int], second: Sequence[int]) -> float:
    """The probability that a value of `first` exceeds one of `second`; ties count half (Mann and Whitney)."""
    counts = dict.fromkeys(sorted({*first, *second}), (0, 0))
    for value in first:
        counts[value] = (counts[value][0] + 1, counts[value][1])
    for value in second:
        counts[value] = (counts[value][0], counts[value][1] + 1)
    greater, below = 0.0, 0
    for here, there in counts.values():
        greater += here * (below + there / 2)
        below += there
    return greater / (len(first) * len(second))


def _line(row: dict[str, Any]) -> str:
    line = f"{row['database']:<12}{row['request']:<20}{_figures(row)}   {row['verdict']}\n"
    return line + "".join(f"    {response!r}\n" for response in row.get("bytes", []))


def _figures(row: dict[str, Any]) -> str:
    if "result" not in row:
        return "the responses differ in their bytes"
    result, control = row["result"], row["control"]
    both = [f"{f['t']:+8.2f}{f['auc']:8.4f}{f['microseconds']:+8.1f} us" for f in (result, control)]
    return f"{row['median_us']:7.0f} us" + "".join(both)


if __name__ == "__main__":
    raise SystemExit(main())
