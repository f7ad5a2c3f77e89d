"""The lane and Connexion's own stack give the same answers: two servers that differ in nothing else are sent the same.

Should they ever differ, the stack is right: what the lane may do is answer sooner.
"""

import asyncio
import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from a2wsgi import WSGIMiddleware
from connexion.apps.flask import FlaskApp
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

import app
from models.db import connection
from settings import Settings
from tests.hostile import bodies, fields, paths, queries
from tools.testing import databases
from tools.testing.cases import (
    AS_ALICE,
    COLLECTION,
    HOST,
    KEY,
    PAUSED_KEY,
    READERS_KEY,
    STRANGERS_KEY,
    TRACK,
    Case,
    patch,
)
from tools.testing.raw_client import Answer, Line, address
from tools.testing.service import (
    ALICE,
    AWAY,
    HOME,
    MALLORY,
    NO_TRACK,
    NOBODYS,
    PEPPER,
    READ,
    Row,
    Service,
    Services,
    new_collection,
    resolved,
)
from tools.testing.service import operations as all_operations

EXAMPLES = int(os.environ.get("LANE_EXAMPLES", "200"))
# A second track of the collection, and one that is not in it.
SECOND = b"another-track-of-hers"[:19].ljust(19, b".")
SPARE = b"a-track-to-spare".ljust(19, b".")
GROUPS: dict[str, list[Case]] = {
    "paths": paths.PATHS,
    "methods": paths.METHODS,
    "credentials": fields.CREDENTIALS,
    "headers": fields.HEADERS,
    "queries": queries.CASES,
    "media types": bodies.MEDIA_TYPES,
    "JSON texts": bodies.JSON_TEXTS,
    "values": bodies.VALUES,
}
# What the two servers choose themselves: moments, and ids of what is new.
_CHOSEN = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|mcoll_[0-9a-f]{12}")
_KNOWN = {KEY: b"KEY", COLLECTION: b"COLLECTION", TRACK: b"TRACK", SECOND: b"SECOND", SPARE: b"SPARE"}


class Side:
    """One of the two servers, and what stands there for the placeholders; all of it is as long as they are."""

    def __init__(self, service: Service) -> None:
        self.service = service
        secret = {name: service.key(*person)[1] for name, person in PEOPLE.items()}
        secret |= {PAUSED_KEY: service.key("user_paused", state="paused")[1]}
        secret |= {READERS_KEY: service.key("user_reader", HOME, (READ,))[1]}
        self.alice = service.client(secret[KEY])
        self.tracks = service.make_tracks(3)
        named = secret | dict(zip((TRACK, SECOND, SPARE), self.tracks, strict=True))
        self.words = {placeholder: word.encode() for placeholder, word in named.items()}
        self.renew()

    def renew(self) -> None:
        """A collection of two tracks in version 3, in the place of the last one."""
        if COLLECTION in self.words:
            self.alice.delete(f"collections/{self.words[COLLECTION].decode()}", headers={"If-Match": "*"})
        made = new_collection(self.alice)["id"]
        for track in self.tracks[:2]:
            body = {"track_id": track}
            added = self.alice.post(f"collections/{made}/tracks", json=body, headers={"If-Match": "*"})
            assert added.status_code == 200, added.text
        self.words[COLLECTION] = made.encode()

    def answer(self, wire: bytes) -> Answer:
        """The answer to bytes with placeholders, without what the server may choose."""
        for placeholder, word in self.words.items():
            wire = wire.replace(placeholder, word)
        with Line(address(self.service)) as line:
            line.say(wire)
            came = line.answer(to_head=wire.startswith(b"HEAD "))
        self._forget(came)
        return self._plain(came)

    def _forget(self, came: Answer) -> None:
        """What was made goes at once, so that a list says the same after any number of requests."""
        if came.status == 201:
            self.alice.delete(f"{self.service.url}{came.headers['location']}", headers={"If-Match": "*"})

    def _plain(self, came: Answer) -> Answer:
        headers = {name: value for name, value in came.headers.items() if name not in ("date", "x-request-id")}
        body = came.body.replace(came.headers["x-request-id"].encode(), b"REQUEST-ID")
        location = _CHOSEN.sub(b"*", headers.get("location", "").encode()).decode()
        return Answer(came.status, headers | {"location": location}, _CHOSEN.sub(b"*", self._named(body)))

    def _named(self, body: bytes) -> bytes:
        for placeholder, word in self.words.items():
            body = body.replace(word, _KNOWN.get(placeholder, placeholder))
        return body


class Pair(NamedTuple):
    """The same service twice, each with a database of its own."""

    lane: Side
    stack: Side

    def renew(self) -> None:
        self.lane.renew()
        self.stack.renew()

    def differences(self, wire: bytes) -> tuple[str, int]:
        """How the answers to a request differ, with the request as a command, if they do; and the stack's status."""
        quick, right = self.lane.answer(wire), self.stack.answer(wire)
        return ("" if quick == right else self._explained(wire, quick, right)), right.status

    def _explained(self, wire: bytes, quick: Answer, right: Answer) -> str:
        accepts = " THE LANE ACCEPTS WHAT THE STACK REFUSES." if quick.status < 400 <= right.status else ""
        return (
            f"The lane and Connexion's stack answer this request differently.{accepts}\n\n    {curl(wire)}\n\n"
            f"    lane:  {_told(quick, right)}\n    stack: {_told(right, quick)}\n\n"
            "Both must read requests with web/contract/operations.py: the lane in web/operation_middleware.py, the stack through the\n"
            "validators of web/connexion_validators.py. A rule that only one of them applies belongs into Operation.read."
        )


def _told(one: Answer, other: Answer) -> str:
    own = dict(one.headers.items() - other.headers.items())
    return f"{one.status} {own or ''} {one.body[:600].decode(errors='replace') if one.body != other.body else ''}"


def curl(wire: bytes) -> str:
    """A request as a command line; KEY, COLLECTION, TRACK, SECOND and SPARE are for the reader to fill in."""
    for placeholder, name in _KNOWN.items():
        wire = wire.replace(placeholder, name)
    head, _, body = wire.partition(b"\r\n\r\n")
    line, *own = head.decode("latin-1").split("\r\n")
    method, target = line.split(" ")[:2]
    words = ["curl", "-i", "--path-as-is", "-X", method]
    words += [
        word for field in own if not field.lower().startswith(("content-length", "host")) for word in ("-H", field)
    ]
    words += [*(["--data-binary", "@-"] if body else []), f"http://127.0.0.1:8080{target}"]
    octal = "".join(chr(b) if 32 <= b < 127 and chr(b) not in "\\%'" else f"\\{b:03o}" for b in body[:4000])
    return (f"printf '{octal}' | " if body else "") + shlex.join(words)


def _pair(services: Services, **more: str) -> Pair:
    on, off = (services.start(services.fresh_database("sqlite"), LANE=lane, **more) for lane in ("on", "off"))
    return Pair(Side(on), Side(off))


@pytest.fixture(scope="module")
def pair(services: Services) -> Pair:
    return _pair(services)


@pytest.fixture(scope="module")
def demanding_pair(services: Services) -> Pair:
    """Two servers that want If-Match on every change."""
    return _pair(services, REQUIRE_IF_MATCH="on")


Odd = frozenset[str]


@st.composite
def _requests(draw: DrawFn) -> bytes:
    """A request to some operation, right in every part but, perhaps, in one or two."""
    row = draw(st.sampled_from(all_operations()))
    odd = draw(st.frozensets(st.sampled_from(["method", "path", "query", "fields", "key", "type", "body"]), max_size=2))
    body = draw(_contents(row, odd)) if row.body() or "body" in odd else b""
    typed = [b"Content-Type: " + draw(MEDIA_TYPES if "type" in odd else st.just(JSON))] if body else []
    length = [b"Content-Length: %d" % len(body)] if body else []
    line = draw(_methods(row, odd)) + b" " + draw(_targets(row, odd)) + b" HTTP/1.1"
    return b"\r\n".join([line, HOST, *draw(_fields(row, odd)), *typed, *length]) + b"\r\n\r\n" + body


def _methods(row: Row, odd: Odd) -> SearchStrategy[bytes]:
    return st.sampled_from([b"HEAD", b"PUT"]) if "method" in odd else st.just(row.method.encode())


@st.composite
def _targets(draw: DrawFn, row: Row, odd: Odd) -> bytes:
    segments = ODD_SEGMENTS if "path" in odd else SEGMENTS
    path = re.sub(r"\{(\w+)\}", lambda name: draw(st.sampled_from(segments[name[1]])).decode(), row.path).encode()
    pairs = draw(st.lists(st.tuples(st.text(max_size=8), JUNK), max_size=2)) if "query" in odd else []
    for node in row.node["parameters"]:
        if node["in"] == "query":
            times = draw(st.sampled_from([0, 1, 1, 2] if "query" in odd else [0, 1]))
            pairs += [(node["name"], draw(_values(node["schema"], odd="query" in odd))) for _ in range(times)]
    query = "&".join(f"{quote(name)}={quote(str(value), safe='')}" for name, value in pairs).encode()
    return path + (b"?" + query if query else b"")


@st.composite
def _fields(draw: DrawFn, row: Row, odd: Odd) -> list[bytes]:
    credential = draw(st.sampled_from(CREDENTIALS)) if "key" in odd else AS_ALICE
    names = [name for name in row.parameters("header") if draw(st.booleans())]
    given = [name.encode() + b": " + draw(_visible() if "fields" in odd else TAGS[name]) for name in names]
    more = draw(st.lists(st.sampled_from(OTHER_FIELDS), max_size=2, unique=True)) if "fields" in odd else []
    return [field for field in (credential, *given, *more) if field]


def _visible() -> SearchStrategy[bytes]:
    return st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(lambda t: t.strip().encode())


@st.composite
def _contents(draw: DrawFn, row: Row, odd: Odd) -> bytes:
    node = row.node.get("requestBody")
    schema = resolved(node)["content"]["application/json"]["schema"] if node else {"type": "object", "properties": {}}
    text = json.dumps(draw(_values(schema, odd="body" in odd)), ensure_ascii=draw(st.booleans())).encode()
    return draw(st.sampled_from(BREAKS))(text) if "body" in odd else text


def _values(schema: dict[str, Any], *, odd: bool) -> SearchStrategy[Any]:
    """Values of a schema; where `odd`, also some that nearly are, at any depth."""
    right = _right(resolved(schema), odd=odd)
    return st.one_of(right, right, right, JUNK) if odd else right


def _right(schema: dict[str, Any], *, odd: bool) -> SearchStrategy[Any]:
    if schema.get("nullable"):
        return st.none() | _right({name: value for name, value in schema.items() if name != "nullable"}, odd=odd)
    if schema["type"] == "object":
        given = {name: _values(child, odd=odd) for name, child in schema["properties"].items()}
        needed = {name: given.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(needed, optional=given)
    if schema["type"] == "array":
        return st.lists(_values(schema["items"], odd=odd), max_size=4, unique_by=None if odd else str)
    if schema["type"] == "integer":
        return st.integers(schema["minimum"] - odd, schema["maximum"] + odd)
    return _texts(schema, odd=odd)


def _texts(schema: dict[str, Any], *, odd: bool) -> SearchStrategy[str]:
    pattern = schema.get("pattern", "")
    if pattern.startswith("^mtrack_"):
        return st.sampled_from([TRACK.decode(), SECOND.decode(), SPARE.decode(), NO_TRACK][: 4 if odd else 3])
    right = st.from_regex(pattern, fullmatch=True) if pattern else st.text(max_size=20)
    return right | st.text(max_size=20) if odd else right


def _doubled(text: bytes) -> bytes:
    """The first member once more."""
    return b"{" + text[1:-1] + b"," + text[1:] if text.startswith(b'{"') else text


def _with_more(text: bytes) -> bytes:
    """A member that nobody knows."""
    return text[:-1] + b', "more": 1}' if text.startswith(b'{"') else text


PEOPLE = {KEY: (ALICE, HOME), STRANGERS_KEY: (MALLORY, AWAY)}
JUNK: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.just([]),
    st.just({}),
)
SEGMENTS = {"organization_id": [HOME.encode()], "collection_id": [COLLECTION], "track_id": [TRACK, SECOND, SPARE]}
ODD_SEGMENTS = {
    "organization_id": [*[HOME.encode()] * 4, AWAY.encode(), b"org_", b"%6frg_home1", b"%00"],
    "collection_id": [*[COLLECTION] * 4, NOBODYS.encode(), b"x", TRACK, b"%zz", b"caf%C3%A9", b".."],
    "track_id": [TRACK, NO_TRACK.encode(), b"x", COLLECTION, b"%2e"],
}
TAGS: dict[str, SearchStrategy[bytes]] = {
    "If-Match": st.sampled_from([b"*", b'"3"', b'"1"', b'W/"3"']),
    "If-None-Match": st.sampled_from([b"*", b'"3"', b'W/"3"', b'"1", "3"', b'"x"']),
    "Idempotency-Key": st.just(COLLECTION),
}
CREDENTIALS = [
    AS_ALICE + b"\r\nAuthorization: Bearer " + KEY, b"Authorization: Bearer " + KEY, b"X-API-Key: " + STRANGERS_KEY,
    b"X-API-Key: " + READERS_KEY, b"X-API-Key: " + PAUSED_KEY, b"Authorization: Basic a", b"",
]  # fmt: skip
JSON = b"application/json"
MEDIA_TYPES = st.sampled_from([b"application/json; charset=utf-8", b"application/json; a=b", b"text/plain", b""])
OTHER_FIELDS = [
    b"Accept: */*", b"Accept: text/html", b"Accept: application/json", b"Content-Encoding: gzip", b"Cookie: a=b",
    b"X-Request-ID: req_12345678", b"X-HTTP-Method-Override: DELETE", b"If-Modified-Since: x", b"Range: bytes=0-1",
]  # fmt: skip
BREAKS: list[Callable[[bytes], bytes]] = [
    bytes, bytes, bytes, _with_more, _doubled, lambda text: text[:-1], lambda text: text + b" x",
    lambda text: text + b"\xff", lambda text: b"[" * 40 + text + b"]" * 40,
]  # fmt: skip


@pytest.mark.slow
def test_the_lane_answers_what_the_stack_answers(pair: Pair) -> None:
    statuses = Counter[int]()

    @hypothesis.settings(max_examples=EXAMPLES, derandomize="LANE_EXAMPLES" not in os.environ, database=None,
                         deadline=None, suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    @hypothesis.given(_requests(), st.integers(1, 2))
    def compare(wire: bytes, times: int) -> None:
        for _ in range(times):
            found, status = pair.differences(wire)
            statuses[status] += 1
            assert not found, found
        if not wire.startswith((b"GET", b"HEAD")):
            pair.renew()

    compare()
    print(f"lane and stack: {sum(statuses.values())} requests, {dict(statuses)}")  # noqa: T201 - says what was reached
    reached = {200, 201, 304, 400, 401, 404, 412, 422}
    assert statuses.keys() >= reached, f"too little was tried: nothing was answered {reached - statuses.keys()}"


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_the_lane_answers_hostile_requests_like_the_stack(group: str, pair: Pair) -> None:
    pair.renew()
    wires = [case.pieces[0] for case in GROUPS[group] if len(case.pieces) == 1 and case.outcome.status]
    found = [different for wire in wires if isinstance(wire, bytes) if (different := pair.differences(wire)[0])]
    assert not found, "\n\n".join(found[:5])


@pytest.mark.slow
@pytest.mark.parametrize("body", [b'{"name": "a"}', b'{"name": 1}', b"{", b""])
@pytest.mark.parametrize("tag", [b"", b'If-Match: "3"\r\n', b"If-Match: x\r\n"])
def test_a_demand_for_if_match_is_made_by_both(demanding_pair: Pair, body: bytes, tag: bytes) -> None:
    demanding_pair.renew()
    assert not (found := demanding_pair.differences(patch(body, *[tag.strip()] * bool(tag)))[0]), found


def test_flask_has_as_many_threads_as_the_setting_says(tmp_path: Path) -> None:
    given = Settings(database_url=databases.sqlite_url(tmp_path), key_pepper=PEPPER, threads=3, lane=False)
    try:
        connexion: Any = app.create_app(given).app
    finally:
        connection.disconnect()
    threads = connexion._middleware_app.asgi_app.executor._max_workers
    assert threads == 3, (
        f"Flask runs on {threads} threads where MUSIC_STUDIO_THREADS is 3. Connexion fixes ten, so web/connexion_app.py puts\n"
        "a WSGIMiddleware of its own in the place of Connexion's."
    )


def test_connexion_asks_flask_through_the_part_that_is_replaced() -> None:
    """If this fails after an update of Connexion, web/connexion_app._widen has no effect any more: look for the new place."""
    connexion: Any = FlaskApp("probe")
    asked: list[str] = []

    async def probe(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert isinstance(connexion._middleware_app.asgi_app, WSGIMiddleware)
    connexion._middleware_app.asgi_app = probe
    transport = httpx.ASGITransport(connexion)

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://probe") as client:
            return (await client.get("/anything")).status_code

    assert (asyncio.run(ask()), asked) == (204, ["/anything"])
