"""Every documented status of every operation is met on the wire, with a code that the operation documents for it."""

import contextlib
import copy
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest
from sqlalchemy import text

from models.db import connection
from tools.contract.coverage_facts import Fact
from tools.contract.coverage_report import UNREACHABLE
from tools.testing.cases import JSON, head
from tools.testing.raw_client import Answer, Line, address, flaws
from tools.testing.service import (
    ALICE,
    HOME,
    NOBODYS,
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

ONE_DATABASE = "sqlite"


class Stage:
    """The servers on which statuses are provoked, each started when it is first asked for."""

    def __init__(self, services: Services, actors: Actors) -> None:
        self.services = services
        self.actors = actors
        self.service = actors.service
        self.key = actors.secrets["alice"]

    def ids(self) -> dict[str, str]:
        """A value for each name in braces."""
        made = new_collection(self.service.client(self.key))["id"]
        return {"organization_id": HOME, "collection_id": made, "track_id": self.actors.tracks[0]}

    @cached_property
    def poor(self) -> dict[str, str]:
        """A key without the scope of that name, for each scope."""
        return {need: self.service.key(ALICE, scopes=[have])[1] for need, have in ((READ, WRITE), (WRITE, READ))}

    @cached_property
    def demanding(self) -> Service:
        return self.services.variant(self.service, REQUIRE_IF_MATCH="on")

    @cached_property
    def spent(self) -> Service:
        """A server that takes one request of anybody in a day."""
        document = copy.deepcopy(contract.document())
        for quota in document["x-rate-limits"].values():
            quota |= {"requests": 1, "seconds": 86_400}
        file = self.services.folder / f"seldom-{secrets.token_hex(4)}.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return self.services.start(self.service.database_url, CONTRACT=str(file), RATE_LIMIT="")

    @cached_property
    def troubled(self) -> Service:
        return self.services.start(
            self.service.database_url,
            expected=["unexpected failure", "Traceback"],
            program=("-m", "tools.testing.failing_handlers"),
        )

    @cached_property
    def narrow(self) -> Service:
        return self.services.variant(self.service, MAX_CONCURRENCY="1")

    @cached_property
    def behind(self) -> Service:
        """A server whose database has another schema than it was made for."""
        server = self.services.start(self.services.fresh_database(ONE_DATABASE))
        with server.store():
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        return server

    @cached_property
    def impatient(self) -> Service:
        return self.services.start(self.service.database_url, HEADER_TIMEOUT_SECONDS="1", BODY_TIMEOUT_SECONDS="1")


class Asking:
    """One operation as it is asked for in a test: right, unless something is said otherwise."""

    def __init__(self, stage: Stage, operation: OperationObject) -> None:
        self.stage = stage
        self.operation = operation

    def request(
        self, *fields: bytes, method: str = "", tail: str = "", key: str | None = "", like: bytes = JSON, **ids: str
    ) -> bytes:
        """The bytes of it: with alice's key unless another or none is given, and `tail` behind the path."""
        path = self.operation.path.format(**self.stage.ids() | ids) + tail
        secret = self.stage.key if key == "" else key
        own = [] if secret is None or self.operation.is_public else [b"X-API-Key: " + secret.encode()]
        body = self._body()
        lines = [*own, *fields, *([like, b"Content-Length: %d" % len(body)] if body else [])]
        return head((method or self.operation.method).encode(), path.encode(), *lines) + body

    def _body(self) -> bytes:
        """The contract's example, with ids that exist."""
        content = self.operation.node.get("requestBody", {}).get("content", {}).get("application/json", {})
        if not content:
            return b""
        example = content["example"] if "example" in content else next(iter(content["examples"].values()))["value"]
        shown = json.dumps(example)
        for name, track in zip(
            sorted(set(re.findall(r"mtrack_[0-9a-f]{12}", shown))), self.stage.actors.tracks, strict=False
        ):
            shown = shown.replace(name, track)
        return shown.encode()

    def answer(self, *fields: bytes, on: Service | None = None, **otherwise: Any) -> Answer:
        return self.said(self.request(*fields, **otherwise), on)

    def said(self, sent: bytes, on: Service | None = None) -> Answer:
        with Line(address(on or self.stage.service)) as line:
            line.say(sent)
            return line.answer()


def _success(asking: Asking) -> Answer:
    return asking.answer()


def _not_modified(asking: Asking) -> Answer:
    return asking.answer(b"If-None-Match: *")


def _malformed(asking: Asking) -> Answer:
    return asking.answer(tail="?a=%zz")


def _unauthorized(asking: Asking) -> Answer:
    return asking.answer(key=None)


def _forbidden(asking: Asking) -> Answer:
    return asking.answer(key=asking.stage.poor[asking.operation.node["x-scope"]])


def _not_found(asking: Asking) -> Answer:
    if "collection_id" in asking.operation.parameter_names("path"):
        return asking.answer(collection_id=NOBODYS)
    return asking.answer(tail="/")


def _no_method(asking: Asking) -> Answer:
    return asking.answer(method="PUT")


def _not_acceptable(asking: Asking) -> Answer:
    return asking.answer(b"Accept: text/html")


def _timeout(asking: Asking) -> Answer:
    whole = asking.request()
    head, blank, _ = whole.partition(b"\r\n\r\n")
    return asking.said(head + blank[:2], asking.stage.impatient)


def _in_use(asking: Asking) -> Answer:
    sent = asking.request(b"Idempotency-Key: " + secrets.token_hex(8).encode())
    with Line(address(asking.stage.service)) as first:
        with asking.stage.service.blocked_writes():
            first.say(sent)
            time.sleep(0.3)  # the first request waits for the database now
            second = asking.said(sent)
        assert first.answer().status < 300
    return second


def _changed(asking: Asking) -> Answer:
    return asking.answer(b'If-Match: "99"')


def _too_large(asking: Asking) -> Answer:
    sent = asking.request()
    sent = re.sub(rb"Content-Length: \d+\r\n", b"", sent).partition(b"\r\n\r\n")[0]
    return asking.said(sent + b"\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))


def _too_long(asking: Asking) -> Answer:
    return asking.answer(tail="?" + "a" * 9000)


def _unsupported(asking: Asking) -> Answer:
    return asking.answer(like=b"Content-Type: application/xml")


def _invalid(asking: Asking) -> Answer:
    return asking.answer(tail="?colour=red")


def _precondition_required(asking: Asking) -> Answer:
    return asking.answer(on=asking.stage.demanding)


def _quota_spent(asking: Asking) -> Answer:
    asking.answer(on=asking.stage.spent)
    return asking.answer(on=asking.stage.spent)


def _heavy(asking: Asking) -> Answer:
    return asking.answer(b"X-Padding: " + b"a" * 40_000)


def _fault(asking: Asking) -> Answer:
    return asking.answer(on=asking.stage.troubled)


def _unavailable(asking: Asking) -> Answer:
    if asking.operation.is_public:
        return asking.answer(on=asking.stage.behind)
    sent = asking.request()
    with _busy(asking.stage):
        return asking.said(sent, asking.stage.narrow)


@contextlib.contextmanager
def _busy(stage: Stage) -> Iterator[None]:
    """Lets one request wait for the database, on a server that takes one at a time."""
    [create] = [operation for operation in operations() if operation.id == "create_collection"]
    sent = Asking(stage, create).request()
    with Line(address(stage.narrow)) as line:
        with stage.service.blocked_writes():
            line.say(sent)
            time.sleep(0.3)
            yield
        assert line.answer().status == 201


PROVOCATIONS: dict[int, Callable[[Asking], Answer]] = {
    200: _success,
    201: _success,
    304: _not_modified,
    400: _malformed,
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    405: _no_method,
    406: _not_acceptable,
    408: _timeout,
    409: _in_use,
    412: _changed,
    413: _too_large,
    414: _too_long,
    415: _unsupported,
    422: _invalid,
    428: _precondition_required,
    429: _quota_spent,
    431: _heavy,
    500: _fault,
    503: _unavailable,
}
SIDE_BY_SIDE = {408}  # a second each
# Their provocations wait for a database or a time limit.
SLOW = {408, 503}
DOCUMENTED = sorted({int(status) for operation in operations() for status in operation.node["responses"]})


def test_every_documented_status_can_be_provoked() -> None:
    missing = sorted(set(DOCUMENTED) - set(PROVOCATIONS))
    assert not missing, f"Write a function that makes an operation answer {missing} and put it into PROVOCATIONS."


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    "status", [pytest.param(status, marks=pytest.mark.slow if status in SLOW else ()) for status in DOCUMENTED]
)
def test_a_documented_status_is_met_on_every_operation(services: Services, actors: Actors, status: int) -> None:
    stage = Stage(services, actors)
    due = [Asking(stage, operation) for operation in operations() if str(status) in operation.node["responses"]]
    provoke = PROVOCATIONS[status]
    answers = at_once(len(due), lambda i: provoke(due[i])) if status in SIDE_BY_SIDE else map(provoke, due)
    wrong = {
        asking.operation.id: _wrong(asking.operation, status, answer)
        for asking, answer in zip(due, answers, strict=True)
    }
    assert not {name: said for name, said in wrong.items() if said}


def _wrong(operation: OperationObject, status: int, answer: Answer) -> str:
    """What is not as documented, in words; nothing where all is."""
    beyond = Fact("status", operation.id, str(status)) in UNREACHABLE
    if answer.status != status or beyond:
        return "" if beyond and answer.status != status else f"{answer.status} {answer.body[:200]!r}"
    found = [*flaws(answer)] if status >= 400 else []
    if status >= 400 and (code := json.loads(answer.body)["error"]["code"]) not in operation.error_codes(status):
        found.append(f"the documentation does not show {code}")
    return "; ".join(found)
