"""Fuzz of the wire: mutated bytes against the server, compared with what h11 reads from the same bytes.

Every input goes to the HTTP protocol in this process in random pieces; one in 50 also goes to a server process over
TCP. No input may hang the server, give a 5xx, a response that is not HTTP, or a request that only one side has seen,
unless tools/endurance/wire_oracle.py lists why. Inputs with a new outcome are mutated further.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import random
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from tools.endurance import wire_oracle
from tools.endurance.report import Figure, at_most, exactly, show
from tools.endurance.wire_oracle import LAXER, STRICTER, Oracle
from tools.testing import in_process
from tools.testing.cases import (
    AS_ALICE,
    CHUNKED,
    COLLECTION,
    HOST,
    JSON,
    KEY,
    LIST,
    ONE,
    ORDER,
    chunked,
    chunks,
    get,
    head,
    mine,
    patch,
    post,
)  # fmt: skip
from tools.testing.in_process import InProcessServer
from tools.testing.server_process import Running, running
from web.telemetry import log_config
from web.telemetry.metrics import resident_memory_bytes

MINUTES = 60.0
MAX_CORPUS, MAX_BYTES = 2_000, 16 * 1024
OVER_TCP = 50
MAX_GROWTH_MIB = 64
REPORT = Path("dist/wire_fuzz.json")
BODY = b'{"name": "A"}'
SEEDS = [
    get(), mine(), mine(ONE), get() + mine() + get(b"/v1/nothing"), head(b"HEAD", LIST, AS_ALICE) + get(),
    head(b"OPTIONS", b"*"), get(b"http://localhost/v1/health/live"), get(version=b"HTTP/1.0"), post(BODY), patch(BODY),
    get(LIST, b"Connection: close") + get(), post(BODY, b"Expect: 100-continue") + get(),
    chunked(chunks(BODY[:4], BODY[4:])) + get(), chunked(b"d;a=b\r\n" + BODY + b"\r\n0\r\nX-A: b\r\n\r\n") + get(),
    post(BODY, b"Connection: Upgrade", b"Upgrade: h2c") + get(), b"\r\n" + get() + b"\r\n" + get(),
    head(b"PATCH", ORDER, AS_ALICE, JSON, CHUNKED) + chunks(b'{"ordered_track_ids": []}'),
    head(b"DELETE", ONE, AS_ALICE), head(b"GET", LIST, b"Content-Length: 5") + b"abcde" + get(),
]  # fmt: skip
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\0", b":", b";", b",", b"\xff", b"\r\n ", b"0\r\n\r\n",
    b"5\r\nabcde\r\n", b"ffffffffffffffff", b"-1", b"99999999999999999999", b"0x5", b"%00", b"chunked",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", HOST + b"\r\n", CHUNKED + b"\r\n", get(b"/v1/smuggled"),
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"X-A: " + b"a" * 5000 + b"\r\n", b"X-A: b\r\n" * 60,
]  # fmt: skip


class Outcome(NamedTuple):
    """What the server did: its responses (status and error code), whether it closed, and the requests it has seen."""

    responses: tuple[tuple[int, str], ...]
    closes: bool
    requests: tuple[tuple[str, bytes], ...]


@dataclass
class Findings:
    """Counts of a run, and the inputs that failed."""

    inputs: int = 0
    over_tcp: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    outcomes: set[object] = field(default_factory=set)
    failures: list[dict[str, str]] = field(default_factory=list)

    def fail(self, what: str, data: bytes, detail: object) -> None:
        if len(self.failures) < 100:
            self.failures.append({"what": what, "bytes": data.decode("latin-1"), "detail": str(detail)[:2000]})


def mutated(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus with one to four changes."""
    data = rng.choice(corpus)
    for _ in range(rng.randint(1, 4)):
        data = _changed(rng, data, corpus)
    return data[:MAX_BYTES]


def _changed(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.choice((0, 1, 1, 2, 4, 16, 64)))
    before, middle, after = data[:start], data[start:end], data[end:]
    match rng.randrange(8):
        case 0:
            return before + after
        case 1:
            return before + middle * rng.randint(2, 4) + after
        case 2:
            return before + bytes(rng.randrange(256) for _ in middle) + after
        case 3:
            return before + middle.swapcase() + after
        case 4:
            other = rng.choice(corpus)
            return before + other[rng.randint(0, len(other)) :]
        case 5:
            return data + rng.choice(corpus)
        case 6:
            lines = data.split(b"\r\n")
            lines.insert(rng.randint(0, len(lines)), rng.choice(TOKENS).removesuffix(b"\r\n"))
            return b"\r\n".join(lines)
    return before + rng.choice(TOKENS) + after


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    """The bytes in up to five random pieces."""
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice((0, 0, 1, 2, 4))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


def responses(sent: bytes, methods: Sequence[str]) -> tuple[tuple[tuple[int, str], ...], bool]:
    """Status and error code of each response, and whether the last one closes. Raises ValueError for invalid HTTP.

    `methods` are those of the requests. A response to a further one is to HEAD if the next response follows its header.
    """
    found: list[tuple[int, str]] = []
    closes = False
    while sent:
        top, _, sent = sent.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.1 ([1-5][0-9]{2}) ", top)
        length = re.search(rb"\r\ncontent-length: ([0-9]+)", top)
        if line is None:
            raise ValueError(f"no status line: {top[:200]!r}")
        if line[1] == b"100":
            continue
        to_head = methods[len(found)] == "HEAD" if len(found) < len(methods) else sent.startswith(b"HTTP/1.1 ")
        size = 0 if to_head or length is None else int(length[1])
        content, sent = sent[:size], sent[size:]
        closes = b"\r\nconnection: close" in top
        code = re.search(rb'"code":"([A-Z_]+)"', content) if line[1] >= b"400" else None
        found.append((int(line[1]), code[1].decode() if code else ""))
    return tuple(found), closes


def compare(data: bytes, outcome: Outcome, oracle: Oracle) -> tuple[str, bool]:
    """What differs between server and h11, and whether that is legal; "" if nothing does."""
    ours = [(method.encode(), target) for method, target in outcome.requests]
    theirs = [(request.method, _path(request.target)) for request in oracle.requests]
    common = 0
    while common < min(len(ours), len(theirs)) and ours[common] == theirs[common]:
        common += 1
    if common < len(ours) and common < len(theirs):
        return f"request {common}: the server reads {ours[common]}, h11 {theirs[common]}", False
    answered = len(outcome.responses)
    if not outcome.closes and answered < min(common, len(oracle.ends)):
        return f"request {answered} is not answered, and the connection is not closed by a response", False
    rest = oracle.rest(data, min(common, len(oracle.ends)))
    if common < len(ours):
        known = wire_oracle.explanation(LAXER, rest)
        return (f"server reads more: {known.name}", True) if known else (f"only the server reads {ours[common]}", False)
    if common == len(theirs):
        return "", True
    if common == len(theirs) - 1 and oracle.requests[-1].content is None:
        return "the last request is incomplete (RFC 9112 section 8)", True
    if outcome.closes and len(outcome.responses) <= common:
        return "the response closes the connection (RFC 9112 section 9.6)", True
    return _stricter(theirs[common], outcome, rest)


def _stricter(request: tuple[bytes, bytes], outcome: Outcome, rest: bytes) -> tuple[str, bool]:
    """h11 reads a request that the server does not."""
    if not outcome.closes:
        return f"only h11 reads {request}, and the server keeps the connection", False
    status, code = outcome.responses[-1]
    if code and (status, code) != (400, "MALFORMED_REQUEST"):
        return f"server closes with {status} {code} (RFC 9110 section 15.5)", True
    known = wire_oracle.explanation(STRICTER, rest)
    return (f"server refuses: {known.name}", True) if known else (f"only h11 reads {request}", False)


def _path(target: bytes) -> bytes:
    """The path of a target in origin or absolute form."""
    path = re.sub(rb"^https?://[^/?]+", b"", target, flags=re.IGNORECASE).partition(b"?")[0]
    return path or b"/"


class _Exceptions(logging.Handler):
    """Collects what the server logs of exceptions in this process."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


class Fuzzer:
    """One run with one seed."""

    def __init__(self, server: InProcessServer, words: dict[bytes, bytes], seed: int, corpus: Sequence[bytes]) -> None:
        self.found = Findings()
        self._server, self._words = server, words
        self._rng = random.Random(seed)
        self._exceptions = _Exceptions()
        logging.getLogger("uvicorn.error").handlers = [self._exceptions]
        self._corpus = [self._filled(data) for data in corpus]

    async def step(self, tcp: Running | None) -> None:
        """Sends one input."""
        data = mutated(self._rng, self._corpus)
        self.found.inputs += 1
        outcome = await self._outcome(data)
        if outcome is None:
            return
        oracle = wire_oracle.read(data)
        difference, legal = compare(data, outcome, oracle)
        if difference and legal:
            self.found.differences[difference] += 1
        if not legal:
            self.found.fail("desync", data, (difference, outcome, oracle))
        self._check_exceptions(data)
        if any(status >= 500 for status, _ in outcome.responses):
            self.found.fail("5xx", data, outcome)
        signature = (outcome.responses, outcome.closes, difference if legal else "", oracle.error[:20])
        if signature not in self.found.outcomes and len(self._corpus) < MAX_CORPUS:
            self.found.outcomes.add(signature)
            self._corpus.append(data)
        if tcp is not None and self.found.inputs % OVER_TCP == 0:
            await asyncio.to_thread(self._over_tcp, tcp, data, outcome, oracle)

    def _check_exceptions(self, data: bytes) -> None:
        for text in self._exceptions.texts:
            self.found.fail("exception", data, text[-2000:])
        self._exceptions.texts.clear()

    async def _outcome(self, data: bytes) -> Outcome | None:
        self._server.requests.clear()
        try:
            sent = await self._server.exchange(pieces(self._rng, data))
            requests = tuple(self._server.requests)
            found, closes = responses(sent, [method for method, _ in requests])
        except (TimeoutError, ValueError) as error:
            self.found.fail("hang" if isinstance(error, TimeoutError) else "invalid response", data, repr(error))
            return None
        return Outcome(found, closes, requests)

    def _over_tcp(self, tcp: Running, data: bytes, outcome: Outcome, oracle: Oracle) -> None:
        """Sends the input to the server process: its statuses must be the same."""
        self.found.over_tcp += 1
        sent, received = pieces(self._rng, data), b""
        try:
            with socket.create_connection(("127.0.0.1", tcp.port), timeout=20) as connection:
                with contextlib.suppress(ConnectionError):
                    for piece in sent:
                        connection.sendall(piece)
                    connection.shutdown(socket.SHUT_WR)
                while read := connection.recv(1 << 16):
                    received += read
            found, closes = _responses_of_either(received, outcome, oracle)
        except ConnectionError:
            return  # the server has closed before it has read everything
        except (TimeoutError, ValueError) as error:
            self.found.fail("hang or invalid response over TCP", data, repr(error))
            return
        if not _same_statuses(found, closes, outcome) and not _is_cut(found, outcome, data):
            self.found.fail("other responses over TCP", data, (found, outcome))

    def _filled(self, data: bytes) -> bytes:
        for placeholder, word in self._words.items():
            data = data.replace(placeholder, word)
        return data


def _responses_of_either(received: bytes, outcome: Outcome, oracle: Oracle) -> tuple[tuple[tuple[int, str], ...], bool]:
    """The responses to the requests of this process, or to those of h11 if the server process has read more."""
    try:
        return responses(received, [method for method, _ in outcome.requests])
    except ValueError:
        return responses(received, [request.method.decode() for request in oracle.requests])


def _is_cut(found: tuple[tuple[int, str], ...], outcome: Outcome, data: bytes) -> bool:
    """Whether only one of both has answered the last request, whose content is incomplete: the end may come first."""
    short, long = sorted((found, outcome.responses), key=len)
    return long[:-1] == short and wire_oracle.ends_in_content(data)


def _same_statuses(found: tuple[tuple[int, str], ...], closes: bool, outcome: Outcome) -> bool:
    """Whether both gave the same statuses, as far as time does not decide (RFC 9112 section 9.6).

    A response that closes may end the one list sooner, when the client's end has arrived before it. The last one may be
    the error of a content that has arrived, or the response that was sent before it.
    """
    lists = [([status for status, _ in found], closes), ([status for status, _ in outcome.responses], outcome.closes)]
    (short, short_closes), (long, _) = sorted(lists, key=lambda item: len(item[0]))
    if short_closes and len(short) == len(long) and outcome.closes and 400 in (short[-1], long[-1]):
        return short[:-1] == long[:-1]
    return short == long or (short_closes and short == long[: len(short)])


async def fuzz(
    server: InProcessServer, words: dict[bytes, bytes], seed: int, seconds: float = math.inf, *,
    inputs: float = math.inf, tcp: Running | None = None, corpus: Sequence[bytes] = SEEDS,
    progress: Progress | None = None,
) -> Findings:  # fmt: skip
    """Runs for so many seconds or inputs."""
    fuzzer, started = Fuzzer(server, words, seed, corpus), time.monotonic()
    task = progress.add_task(f"wire_fuzz, seed {seed}", total=seconds) if progress else None
    while time.monotonic() - started < seconds and fuzzer.found.inputs < inputs:
        await fuzzer.step(tcp)
        if progress and task is not None and fuzzer.found.inputs % 100 == 0:
            progress.update(task, completed=time.monotonic() - started)
    return fuzzer.found


def run(folder: Path, seed: int, minutes: float, progress: Progress) -> tuple[Findings, float]:
    """The findings, and the growth of the memory of this process in MiB after a tenth of the time."""
    log_config.configure("json", "error")
    with (
        in_process.sample(folder, rate_limit="off") as (settings, secret, collection),
        running(settings.database_url, folder, RATE_LIMIT="off", LOG_LEVEL="error") as tcp,
    ):
        words = {KEY: secret.encode(), COLLECTION: collection.encode()}

        async def both() -> tuple[Findings, float]:
            async with in_process.create(settings) as server:
                await fuzz(server, words, seed - 1, minutes * 6, progress=progress)
                before = resident_memory_bytes()
                found = await fuzz(server, words, seed, minutes * 54, tcp=tcp, progress=progress)
                return found, (resident_memory_bytes() - before) / 2**20

        found, growth = asyncio.run(both())
        for line in tcp.faults():
            found.fail("fault in the log of the server", b"", line)
        tcp.log.write_text("", encoding="utf-8")
    return found, growth


def figures(found: Findings, growth: float) -> Iterator[Figure]:
    """The figures of a run with their limits."""
    label = f"wire_fuzz: failures of {found.inputs:,} inputs, {found.over_tcp:,} also over TCP"
    yield exactly(label, "sqlite", len(found.failures), 0)
    yield at_most("wire_fuzz: memory growth", "sqlite", growth, MAX_GROWTH_MIB, " MiB")


def write(found: Findings, seed: int, file: Path) -> None:
    """Writes the report as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"seed": seed, "inputs": found.inputs, "over_tcp": found.over_tcp}
    facts |= {"outcomes": len(found.outcomes), "differences": dict(found.differences.most_common())}
    file.write_text(json.dumps(facts | {"failures": found.failures}, indent=2), encoding="utf-8")


def main() -> int:
    """The exit status: 0 when every figure is within its limit."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance.wire_fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args()
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        found, growth = run(Path(folder), options.seed, options.minutes, progress)
    write(found, options.seed, options.report)
    kept = list(figures(found, growth))
    show(kept, Console())
    return 0 if all(figure.kept for figure in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
