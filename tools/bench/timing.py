"""Proves that nobody learns from time or bytes whether another user's id exists: `python -m tools.bench.timing`."""

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
from tools.bench import data, databases, servers
from tools.bench.progress import Bar
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import AT, Request

PER_CLASS, CHECKED, FOREIGN_TRACKS, ELSEWHERE = 20_000, 100, 500, "org_elsewhere"
MAX_T, MAX_AUC, KEPT = 4.5, 0.02, 0.9
CLASSES = ("foreign", "absent", "absent again")
# What differs between any two answers: request id, moments, and the id that was asked for.
_OWN = re.compile(rb"req_[0-9a-f]{16}|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=date: )[^\r]+|(?:mcoll|mtrack)_[0-9a-f]{12}")
METHOD = f"""\
Method: one kept-alive connection; ids of three classes in random order: of another user of the organization, of nothing
(a new one each time), and of nothing again, which is the control. The bytes must be equal but for ids and moments. The
slowest tenth of all times is cropped; then Welch's t, the AUC of Mann and Whitney, and the difference of the medians.
Goal: |t| < {MAX_T} and |AUC - 0.5| < {MAX_AUC} (with few requests: 4.5 standard errors), of the control too."""
HEAD = f"\n\n{'':32}{'median':>10}{'t':>8}{'AUC':>8}{'difference':>11}   control: t, AUC, difference\n"


@dataclass(frozen=True)
class Question:
    """One request; `{}` in path or body is where the id stands."""

    name: str
    method: str
    path: str
    body: str = ""
    more: str = ""
    prefix: str = "mcoll_"

    def wire(self, key: str, identifier: str) -> bytes:
        body = self.body.replace("{}", identifier)
        typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {AT}{self.path.replace('{}', identifier)} HTTP/1.1\r\nHost: localhost\r\n"
        return f"{head}X-API-Key: {key}\r\n{self.more}{typed}\r\n{body}".encode()


@dataclass(frozen=True)
class Finding:
    """How two classes of times differ; the difference of the medians is in microseconds."""

    t: float
    auc: float
    microseconds: float
    kept: bool


class Line:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, wire: bytes) -> tuple[int, bytes]:
        """Nanoseconds until the whole answer was there, and the answer. Raises RuntimeError when there is none."""
        started = time.perf_counter_ns()
        self._socket.sendall(wire)
        answer = self._socket.recv(65536)
        while not _whole(answer):
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"The server closed the connection after {answer!r}")
            answer += more
        return time.perf_counter_ns() - started, answer


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if end and length is None:
        raise RuntimeError(f"An answer without a length: {answer!r}")
    return bool(end) and length is not None and len(body) >= int(length[1])


def main() -> int:
    """Exit status: 0 nothing can be told apart, 1 something can, 2 the machine is too noisy to tell."""
    chosen = _chosen()
    found = []
    print("" if chosen.json else METHOD + HEAD, end="", flush=True)
    for kind in chosen.databases:
        for row in _measured(kind, chosen.per_class):
            found.append(row)
            print("" if chosen.json else _line(row), end="", flush=True)
    print(json.dumps(found, indent=1) if chosen.json else "")
    verdicts = {row["verdict"] for row in found}
    return 1 if "TOLD APART" in verdicts else 2 if "too noisy" in verdicts else 0


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.timing", description=__doc__)
    parser.add_argument("--per-class", type=int, default=PER_CLASS, metavar="N", help="requests of each class")
    parser.add_argument("--databases", nargs="+", choices=databases.KINDS, default=list(databases.KINDS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _measured(kind: str, per_class: int) -> Iterator[dict[str, Any]]:
    core, _, another = databases.cores()
    with databases.fresh(kind, another) as url, tempfile.TemporaryDirectory() as folder:
        held = data.load(url)
        elsewhere = _tracks_elsewhere(url)
        first = Request("GET", f"{AT}/{held.big}/tracks?limit=100", held.reader)
        with servers.running(BY_NAME[OURS], url, data.PEPPER, first, Path(folder) / "log", core) as server:
            listed = [item["track_id"] for item in json.loads(servers.ask(server.port, first)[1])["items"]]
            for question in _questions(held.written[0], listed):
                foreign = held.read if question.prefix == "mcoll_" else elsewhere
                found = _compared(Line(server.port), question, held.writer, foreign, per_class, kind)
                yield {"database": kind, "question": question.name} | found


def _tracks_elsewhere(url: str) -> list[str]:
    """Ids of tracks of another organization."""
    with Database(url):
        organizations.join(ELSEWHERE, "user_elsewhere")
        made = [tracks.add(ELSEWHERE, "user_elsewhere", title="Theirs") for _ in range(FOREIGN_TRACKS)]
        return [track.id for track in made if track is not None]


def _questions(mine: str, listed: list[str]) -> Iterator[Question]:
    """Every way to name a collection, and the two to name a track in a body."""
    renamed, matched = '{"name": "Renamed"}', 'If-Match: "1"\r\n'
    yield Question("get", "GET", "/{}")
    yield Question("change", "PATCH", "/{}", renamed)
    yield Question("change of version 1", "PATCH", "/{}", renamed, matched)
    yield Question("delete", "DELETE", "/{}")
    yield Question("list tracks", "GET", "/{}/tracks?limit=500")
    yield Question("add a track", "POST", "/{}/tracks", json.dumps({"track_id": listed[0]}))
    yield Question("remove a track", "DELETE", f"/{{}}/tracks/{listed[0]}")
    yield Question("reorder", "PATCH", "/{}/order", json.dumps({"ordered_track_ids": listed[:12]}))
    yield Question("add whose track", "POST", f"/{mine}/tracks", '{"track_id": "{}"}', prefix="mtrack_")
    yield Question("cover by whom", "POST", "", '{"name": "A", "cover_track_id": "{}"}', prefix="mtrack_")


def _compared(
    line: Line, question: Question, key: str, foreign: list[str], per_class: int, kind: str
) -> dict[str, Any]:
    """The bytes first, which must be equal, then the times."""
    answers = {answer for _, _, answer in _asked(line, question, key, foreign, CHECKED, Bar(question.name, CHECKED))}
    if len(answers) > 1:
        shown = sorted(answer.decode("latin-1") for answer in answers)
        return {"verdict": "TOLD APART", "bytes": shown}
    times: dict[str, list[int]] = {name: [] for name in CLASSES}
    with Bar(f"{kind}: {question.name}", per_class) as bar:
        for name, nanoseconds, answer in _asked(line, question, key, foreign, per_class, bar):
            if answer not in answers:
                raise RuntimeError(f"{question.name}: another answer than at first: {answer!r}")
            times[name].append(nanoseconds)
    return _judged(times)


def _asked(
    line: Line, question: Question, key: str, foreign: list[str], rounds: int, bar: Bar
) -> Iterator[tuple[str, int, bytes]]:
    """Class, time and blanked answer of one request of each class a round, each round in an order of its own."""
    gc.disable()
    for number in range(rounds):
        for name in random.sample(CLASSES, len(CLASSES)):
            # Both for every class: a client that takes longer to choose finds a server that has slept deeper.
            theirs, nobodys = random.choice(foreign), f"{question.prefix}{random.getrandbits(48):012x}"
            wire = question.wire(key, theirs if name == CLASSES[0] else nobodys)
            nanoseconds, answer = line.ask(wire)
            yield name, nanoseconds, _OWN.sub(b"*", answer)
        if number % 100 == 99:
            bar.done += 99
            bar.step()
    gc.enable()


def _judged(times: dict[str, list[int]]) -> dict[str, Any]:
    every = sorted(t for some in times.values() for t in some)
    limit = every[int(len(every) * KEPT)]
    foreign, absent, again = ([t for t in times[name] if t < limit] for name in CLASSES)
    found, control = compare(foreign, absent), compare(again, absent)
    verdict = "too noisy" if not control.kept else "equal" if found.kept else "TOLD APART"
    return {"verdict": verdict, "median_us": statistics.median(absent) / 1000,
            "per_class": len(times[CLASSES[0]]), "found": asdict(found), "control": asdict(control)}  # fmt: skip


def compare(ones: Sequence[int], others: Sequence[int]) -> Finding:
    """Welch's t, AUC and difference of medians of two lists of nanoseconds."""
    spread = statistics.variance(ones) / len(ones) + statistics.variance(others) / len(others)
    t = (statistics.fmean(ones) - statistics.fmean(others)) / spread**0.5
    auc = _auc(ones, others)
    error = ((len(ones) + len(others) + 1) / (12 * len(ones) * len(others))) ** 0.5
    kept = abs(t) < MAX_T and abs(auc - 0.5) < max(MAX_AUC, MAX_T * error)
    return Finding(t, auc, (statistics.median(ones) - statistics.median(others)) / 1000, kept)


def _auc(ones: Sequence[int], others: Sequence[int]) -> float:
    """How often one of `ones` is the greater of two; equal times share a rank (Mann and Whitney)."""
    counts = dict.fromkeys(sorted({*ones, *others}), (0, 0))
    for value in ones:
        counts[value] = (counts[value][0] + 1, counts[value][1])
    for value in others:
        counts[value] = (counts[value][0], counts[value][1] + 1)
    greater, below = 0.0, 0
    for here, there in counts.values():
        greater += here * (below + there / 2)
        below += there
    return greater / (len(ones) * len(others))


def _line(row: dict[str, Any]) -> str:
    told = f"{row['database']:<12}{row['question']:<20}{_figures(row)}   {row['verdict']}\n"
    return told + "".join(f"    {answer!r}\n" for answer in row.get("bytes", []))


def _figures(row: dict[str, Any]) -> str:
    if "found" not in row:
        return "the answers differ in their bytes"
    found, control = row["found"], row["control"]
    both = [f"{f['t']:+8.2f}{f['auc']:8.4f}{f['microseconds']:+8.1f} us" for f in (found, control)]
    return f"{row['median_us']:7.0f} us" + "".join(both)


if __name__ == "__main__":
    raise SystemExit(main())
