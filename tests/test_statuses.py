"""Every operation returns each of its documented statuses, with a documented error code."""

import contextlib
import copy
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import text

from models import tracks
from models.db import connection
from tools.contract.coverage_facts import Fact
from tools.contract.coverage_report import UNREACHABLE
from tools.testing.cases import JSON, head
from tools.testing.played import sealed
from tools.testing.raw_client import RawClient, RawResponse, address, response_errors
from tools.testing.service import (
    ALICE,
    HOME,
    NO_COLLECTION,
    NO_JOB,
    NO_SESSION,
    NO_SHARE,
    NO_TOKEN,
    NO_TRACK,
    ON_ONE_DATABASE,
    READ,
    WRITE,
    Actors,
    Service,
    Services,
    at_once,
    new_collection,
    operations,
)
from web.contract import document as contract
from web.contract.reading import OperationObject
from web.http.request_body import MAX_BODY_BYTES
from web.playback import AUDIO_OPERATION

ONE_DATABASE = "sqlite"


class Servers:
    """Servers with the settings that provoke a status, each started on first use."""

    def __init__(self, services: Services, actors: Actors) -> None:
        self.services = services
        self.actors = actors
        self.service = actors.service
        self.key = actors.secrets["alice"]
        self.alice = self.service.client(self.key)

    def ids(self) -> dict[str, str]:
        """A value for each path parameter."""
        made = new_collection(self.alice)["id"]
        track = self.service.make_tracks(1)[0]
        piece = {"engine": "drift", "prompt": "A status", "duration_seconds": 30}
        job = self.alice.post("generations", json=piece).json()["id"]
        self.service.give_audio(track, b"some audio")
        link = self.alice.post(f"tracks/{track}/share").json()
        shared = {"share_id": link["id"], "token": link["token"], "position": "1"}
        session = self.alice.post("focus/sessions", json={"goal": "relax", "target_minutes": 2}).json()["session_id"]
        named = {"organization_id": HOME, "collection_id": made, "track_id": track, "job_id": job} | shared
        return named | {"session_id": session, "file": f"{track}.mp3"}

    @cached_property
    def without_scope(self) -> dict[str, str]:
        """For each scope a key without it."""
        return {need: self.service.key(ALICE, scopes=[have])[1] for need, have in ((READ, WRITE), (WRITE, READ))}

    @cached_property
    def require_if_match(self) -> Service:
        return self.services.variant(self.service, REQUIRE_IF_MATCH="on")

    @cached_property
    def one_request_per_day(self) -> Service:
        """A server with quotas of one request per day."""
        document = copy.deepcopy(contract.document())
        for quota in document["x-rate-limits"].values():
            quota |= {"requests": 1, "seconds": 86_400}
        file = self.services.folder / f"seldom-{secrets.token_hex(4)}.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return self.services.start(self.service.database_url, CONTRACT=str(file), RATE_LIMIT="")

    @cached_property
    def failing(self) -> Service:
        return self.services.start(
            self.service.database_url,
            expected=["unexpected failure", "Traceback"],
            program=("-m", "tools.testing.failing_handlers"),
        )

    @cached_property
    def max_concurrency_1(self) -> Service:
        return self.services.variant(self.service, MAX_CONCURRENCY="1")

    @cached_property
    def one_job(self) -> Service:
        """A server that lets a user have one job; alice has one."""
        return self.services.variant(self.service, MAX_ACTIVE_JOBS="1")

    @cached_property
    def full_store(self) -> Service:
        """A server that lets an organization have 1 MiB of audio; that of alice has 2."""
        with self.service.use_database():
            tracks.add(HOME, ALICE, title="Large", audio=("large", 2 * 1024 * 1024, "audio/mpeg"))
        return self.services.variant(self.service, ORGANIZATION_AUDIO_MIB="1")

    @cached_property
    def other_schema(self) -> Service:
        """A server whose database has another schema version."""
        server = self.services.start(self.services.fresh_database(ONE_DATABASE))
        with server.use_database():
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            connection.execute(text("ALTER TABLE share_tokens RENAME TO tokens_of_shares"))
            connection.execute(text("ALTER TABLE tracks RENAME TO pieces"))
        return server

    @cached_property
    def short_timeouts(self) -> Service:
        return self.services.start(self.service.database_url, HEADER_TIMEOUT_SECONDS="1", BODY_TIMEOUT_SECONDS="1")


class OperationClient:
    """Sends requests of one operation, valid unless a parameter changes them."""

    def __init__(self, servers: Servers, operation: OperationObject) -> None:
        self.servers = servers
        self.operation = operation

    def request(
        self,
        *fields: bytes,
        method: str = "",
        tail: str = "",
        key: str | None = "",
        content_type: bytes = JSON,
        **ids: str,
    ) -> bytes:
        """The bytes of a request: with alice's key unless `key` says otherwise, and `tail` after the path."""
        ids = self.servers.ids() | ids
        path = self.operation.path.format(**ids) + (tail or self._query(ids))
        secret = self.servers.key if key == "" else key
        own = [] if secret is None or self.operation.is_public else [b"X-API-Key: " + secret.encode()]
        body = self._body()
        lines = [*own, *fields, *([content_type, b"Content-Length: %d" % len(body)] if body else [])]
        return head((method or self.operation.method).encode(), path.encode(), *lines) + body

    def _query(self, ids: dict[str, str]) -> str:
        """The required parameters of the query: the seal of the file, else the contract's examples."""
        if self.operation.id == AUDIO_OPERATION:
            return "?" + urlsplit(sealed(ids["track_id"])).query
        return self.examples()

    def examples(self) -> str:
        """The required parameters of the query, with the contract's examples."""
        required = [node for node in self.operation.parameters_in("query") if node.get("required")]
        return "?" + urlencode({node["name"]: node["example"] for node in required}) if required else ""

    def _body(self) -> bytes:
        """The contract's example, with existing ids."""
        content = self.operation.node.get("requestBody", {}).get("content", {}).get("application/json", {})
        if not content:
            return b""
        example = content["example"] if "example" in content else next(iter(content["examples"].values()))["value"]
        shown = json.dumps(example)
        for name, track in zip(
            sorted(set(re.findall(r"mtrack_[0-9a-f]{12}", shown))), self.servers.actors.tracks, strict=False
        ):
            shown = shown.replace(name, track)
        return shown.replace("org_abc123", HOME).encode()

    def response(self, *fields: bytes, on: Service | None = None, **otherwise: Any) -> RawResponse:
        return self.send(self.request(*fields, **otherwise), on)

    def send(self, sent: bytes, on: Service | None = None) -> RawResponse:
        with RawClient(address(on or self.servers.service)) as raw:
            raw.send(sent)
            return raw.response()


def _success(client: OperationClient) -> RawResponse:
    return client.response()


def _partial(client: OperationClient) -> RawResponse:
    return client.response(b"Range: bytes=0-0")


def _see_other(client: OperationClient) -> RawResponse:
    return client.response(b"Accept: text/html, */*;q=0.5")


def _not_modified(client: OperationClient) -> RawResponse:
    return client.response(b"If-None-Match: *")


def _malformed(client: OperationClient) -> RawResponse:
    if client.operation.node.keys() & {"x-invalid-request", "x-unknown-query"}:  # no query is malformed there
        return client.response(b"Range: bytes=0-1", b"Range: bytes=0-1")
    return client.response(tail="?a=%zz")


def _unauthorized(client: OperationClient) -> RawResponse:
    return client.response(key=None)


def _forbidden(client: OperationClient) -> RawResponse:
    if client.operation.is_public:
        return client.response(tail=client.examples())  # a seal that is none
    return client.response(key=client.servers.without_scope[client.operation.node["x-scope"]])


def _not_found(client: OperationClient) -> RawResponse:
    if "collection_id" in client.operation.parameter_names("path"):
        return client.response(collection_id=NO_COLLECTION)
    if "track_id" in client.operation.parameter_names("path"):
        return client.response(track_id=NO_TRACK)
    if "job_id" in client.operation.parameter_names("path"):
        return client.response(job_id=NO_JOB)
    if "share_id" in client.operation.parameter_names("path"):
        return client.response(share_id=NO_SHARE)
    if "token" in client.operation.parameter_names("path"):
        return client.response(token=NO_TOKEN)
    if "session_id" in client.operation.parameter_names("path"):
        return client.response(session_id=NO_SESSION)
    if "collection_id" in client.operation.parameter_names("query"):
        return client.response(tail=f"?collection_id={NO_COLLECTION}")
    return client.response(tail="/")


def _method_not_allowed(client: OperationClient) -> RawResponse:
    return client.response(method="PUT")


def _not_acceptable(client: OperationClient) -> RawResponse:
    return client.response(b"Accept: image/png")


def _timeout(client: OperationClient) -> RawResponse:
    whole = client.request()
    head, blank, _ = whole.partition(b"\r\n\r\n")
    return client.send(head + blank[:2], client.servers.short_timeouts)


def _conflict(client: OperationClient) -> RawResponse:
    if client.operation.has_own_idempotency:
        assert client.response().status == 202
        return client.response(on=client.servers.one_job)
    return _idempotency_key_in_use(client)


def _idempotency_key_in_use(client: OperationClient) -> RawResponse:
    sent = client.request(b"Idempotency-Key: " + secrets.token_hex(8).encode())
    with RawClient(address(client.servers.service)) as first:
        with client.servers.service.blocked_writes():
            first.send(sent)
            time.sleep(0.3)  # the first request waits for the database now
            second = client.send(sent)
        assert first.response().status < 300
    return second


def _precondition_failed(client: OperationClient) -> RawResponse:
    return client.response(b'If-Match: "99"')


def _too_large(client: OperationClient) -> RawResponse:
    sent = client.request()
    sent = re.sub(rb"Content-Length: \d+\r\n", b"", sent).partition(b"\r\n\r\n")[0]
    return client.send(sent + b"\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))


def _too_long(client: OperationClient) -> RawResponse:
    return client.response(tail="?" + "a" * 9000)


def _not_satisfiable(client: OperationClient) -> RawResponse:
    return client.response(b"Range: bytes=9999999999-")


def _unsupported(client: OperationClient) -> RawResponse:
    return client.response(content_type=b"Content-Type: application/xml")


def _storage_full(client: OperationClient) -> RawResponse:
    return client.response(on=client.servers.full_store)


def _invalid(client: OperationClient) -> RawResponse:
    return client.response(tail="?colour=red")


def _precondition_required(client: OperationClient) -> RawResponse:
    return client.response(on=client.servers.require_if_match)


def _rate_limited(client: OperationClient) -> RawResponse:
    client.response(on=client.servers.one_request_per_day)
    return client.response(on=client.servers.one_request_per_day)


def _headers_too_large(client: OperationClient) -> RawResponse:
    return client.response(b"X-Padding: " + b"a" * 40_000)


def _internal_error(client: OperationClient) -> RawResponse:
    return client.response(on=client.servers.failing)


def _unavailable(client: OperationClient) -> RawResponse:
    if client.operation.is_public:
        return client.response(on=client.servers.other_schema)
    sent = client.request()
    with _busy(client.servers):
        return client.send(sent, client.servers.max_concurrency_1)


@contextlib.contextmanager
def _busy(servers: Servers) -> Iterator[None]:
    """Keeps the only request slot of a server busy."""
    [create] = [operation for operation in operations() if operation.id == "create_collection"]
    sent = OperationClient(servers, create).request()
    with RawClient(address(servers.max_concurrency_1)) as client:
        with servers.service.blocked_writes():
            client.send(sent)
            time.sleep(0.3)
            yield
        assert client.response().status == 201


PROVOCATIONS: dict[int, Callable[[OperationClient], RawResponse]] = {
    200: _success,
    201: _success,
    202: _success,
    206: _partial,
    303: _see_other,
    304: _not_modified,
    400: _malformed,
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    405: _method_not_allowed,
    406: _not_acceptable,
    408: _timeout,
    409: _conflict,
    412: _precondition_failed,
    413: _too_large,
    414: _too_long,
    415: _unsupported,
    416: _not_satisfiable,
    422: _invalid,
    428: _precondition_required,
    429: _rate_limited,
    431: _headers_too_large,
    500: _internal_error,
    503: _unavailable,
    507: _storage_full,
}
CONCURRENT = {408}  # one second each
# Provocations that wait for the database or a timeout.
SLOW = {408, 503}
DOCUMENTED = sorted({int(status) for operation in operations() for status in operation.node["responses"]})


def test_every_documented_status_has_a_provocation() -> None:
    missing = sorted(set(DOCUMENTED) - set(PROVOCATIONS))
    assert not missing, f"Write a function that makes an operation return {missing} and put it into PROVOCATIONS."


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    "status", [pytest.param(status, marks=pytest.mark.slow if status in SLOW else ()) for status in DOCUMENTED]
)
def test_every_operation_returns_its_documented_status(services: Services, actors: Actors, status: int) -> None:
    servers = Servers(services, actors)
    due = [
        OperationClient(servers, operation) for operation in operations() if str(status) in operation.node["responses"]
    ]
    provoke = PROVOCATIONS[status]
    responses = at_once(len(due), lambda i: provoke(due[i])) if status in CONCURRENT else map(provoke, due)
    wrong = {
        client.operation.id: _wrong(client.operation, status, response)
        for client, response in zip(due, responses, strict=True)
    }
    assert not {name: text for name, text in wrong.items() if text}


def _wrong(operation: OperationObject, status: int, response: RawResponse) -> str:
    """Description of a mismatch with the documentation; empty if there is none."""
    beyond = Fact("status", operation.id, str(status)) in UNREACHABLE
    if response.status != status or beyond:
        return "" if beyond and response.status != status else f"{response.status} {response.body[:200]!r}"
    found = [*response_errors(response)] if status >= 400 else []
    if status >= 400 and (code := json.loads(response.body)["error"]["code"]) not in operation.error_codes(status):
        found.append(f"the documentation does not show {code}")
    return "; ".join(found)
