"""The fuzz of the wire: a short run, and what it notices."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from tests.hostile import bodies, fields, framing, length, paths, queries
from tools.endurance import wire_fuzz, wire_oracle
from tools.endurance.wire_fuzz import Findings, Outcome, compare, responses
from tools.testing import in_process
from tools.testing.cases import COLLECTION, KEY, LIVE, chunked, chunks, get, head, mine
from tools.testing.in_process import InProcessServer

pytestmark = pytest.mark.slow

SEED, INPUTS = 12, 1_000
HOSTILE = [
    b"".join(piece for piece in case.pieces if isinstance(piece, bytes))
    for group in (bodies.MEDIA_TYPES, fields.HEADERS, framing.CASES, length.CASES, paths.PATHS, queries.CASES)
    for case in group
]
CORPUS = [*wire_fuzz.SEEDS, *(data for data in HOSTILE if len(data) < 4_000)]
REQUEST = ("GET", LIVE)


@pytest.fixture(autouse=True)
def quiet_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "propagate", False)


def test_mutated_requests_are_read_as_h11_reads_them(tmp_path: Path) -> None:
    with in_process.sample(tmp_path, rate_limit="off") as (settings, secret, collection):
        words = {KEY: secret.encode(), COLLECTION: collection.encode()}

        async def run() -> Findings:
            async with in_process.create(settings) as server:
                return await wire_fuzz.fuzz(server, words, SEED, inputs=INPUTS, corpus=CORPUS)

        found = asyncio.run(run())
    assert found.failures == []
    assert found.inputs == INPUTS
    assert len(found.outcomes) > INPUTS / 10, "the mutations reach few outcomes"


@pytest.mark.parametrize(
    ("data", "outcome", "difference"),
    [
        # Nothing differs.
        (get(), Outcome(((200, ""),), False, (REQUEST,)), ""),
        (get() + b"X", Outcome(((200, ""), (400, "MALFORMED_REQUEST")), True, (REQUEST,)), ""),
        (get(b"http://a" + LIVE), Outcome(((200, ""),), False, (REQUEST,)), ""),
    ],
)
def test_equal_reading_is_no_difference(data: bytes, outcome: Outcome, difference: str) -> None:
    assert compare(data, outcome, wire_oracle.read(data)) == (difference, True)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        # The server skips a request, reads one more, or another.
        (get() * 2, Outcome(((200, ""),), False, (REQUEST,))),
        (get(), Outcome(((200, ""), (200, "")), False, (REQUEST, REQUEST))),
        (get(), Outcome(((200, ""),), False, (("GET", b"/v1/smuggled"),))),
        (get(), Outcome(((200, ""),), False, (("POST", LIVE),))),
        # It reads the content of a request as a request.
        (chunked(chunks(get())), Outcome(((401, ""), (200, "")), False, (("POST", b"/v1/music"), REQUEST))),
        # It refuses a request without reason.
        (get(), Outcome(((400, "MALFORMED_REQUEST"),), True, ())),
        (get() + mine(), Outcome(((200, ""), (400, "MALFORMED_REQUEST")), True, (REQUEST,))),
        # It answers nothing.
        (get(), Outcome((), False, ())),
    ],
)
def test_other_reading_is_a_failure(data: bytes, outcome: Outcome) -> None:
    difference, legal = compare(data, outcome, wire_oracle.read(data))
    assert difference
    assert not legal


@pytest.mark.parametrize("difference", wire_oracle.STRICTER, ids=lambda difference: difference.name)
def test_stricter_difference_does_not_explain_a_plain_request(difference: wire_oracle.Difference) -> None:
    assert not difference.explains(get() + mine() + head(b"DELETE", LIVE, b"Content-Length: 2") + b"ab")


async def _raises(*_: object) -> None:
    raise RuntimeError("planted")


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("application", "what"), [(_raises, {"5xx", "exception"}), (_never, {"hang"})])
def test_failing_application_is_noticed(
    application: Callable[..., Any], what: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(in_process, "MAX_SECONDS", 0.2)
    with in_process.sample(tmp_path, rate_limit="off") as (settings, _, _):

        async def planted(scope: Any, receive: Any, send: Any) -> None:
            await (application if scope["type"] == "http" else create_app(settings))(scope, receive, send)

        async def run() -> Findings:
            async with InProcessServer(planted) as server:
                return await wire_fuzz.fuzz(server, {}, SEED, inputs=20, corpus=[get()])

        assert what <= {failure["what"] for failure in asyncio.run(run()).failures}


def test_a_response_to_an_unknown_head_request_has_no_content() -> None:
    found = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\n"
    assert responses(found + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", []) == (((404, ""), (200, "")), False)
    with pytest.raises(ValueError, match="no status line"):
        responses(found + b"lost content", [])


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", True),
        # h11 refuses the header; the server may have answered the header, or met the end of the content first.
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 3\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \xfe\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n0\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", False),
    ],
)
def test_content_that_is_cut_is_known(data: bytes, cut: bool) -> None:
    assert wire_oracle.ends_in_content(data) == cut
