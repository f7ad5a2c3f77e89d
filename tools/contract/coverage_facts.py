"""What of the contract a test run has exercised: facts that can be had, and those that an exchange shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from tools.contract.schema_coverage import alike, keywords, parsed, place_of, reached, shape
from web.contract.parameters import Parameter, parse_query
from web.contract.reading import OperationObject, examples, operations, path_pattern
from web.contract.schemas import Validator, ValidatorCache
from web.exceptions import MalformedRequest, Violation

KINDS = ("operation", "status", "parameter", "keyword", "example")


class Fact(NamedTuple):
    """One thing that the contract says of an operation, and that a test can try."""

    kind: str
    operation: str
    what: str


class Exchange(NamedTuple):
    """One request and its answer, as a client sees them; `query` is what stands behind the question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes


class Tally:
    """The facts of one document, and a reader of exchanges."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.found: set[Fact] = set()
        rules = ValidatorCache(document)
        self._tried = [_Tried(operation, path_pattern(operation.path), rules) for operation in operations(document)]

    def expected(self) -> set[Fact]:
        """Everything that can be exercised."""
        return {fact for tried in self._tried for fact in tried.expected()}

    def take(self, exchange: Exchange) -> None:
        """Adds what an exchange has exercised, documented or not."""
        self.found.update(self._seen(exchange))

    def _seen(self, exchange: Exchange) -> Iterator[Fact]:
        """The facts of an exchange.

        A path with a slash too many is that operation's 404; a method that a path lacks is the 405 of all that it has.
        """
        path = exchange.path.rstrip("/") or "/"
        for tried in self._tried:
            found = tried.form.fullmatch(path)
            if found and (exchange.status == 405 or exchange.method == tried.operation.method):
                yield Fact("status", tried.operation.id, str(exchange.status))
                if exchange.status != 405 and path == exchange.path:
                    yield from tried.request(exchange, found.groupdict())
                yield from tried.answer(exchange, self.found)


class _Tried:
    def __init__(self, operation: OperationObject, form: re.Pattern[str], rules: ValidatorCache) -> None:
        self.operation = operation
        self.form = form
        self._parameters = {
            f"{node['in']} {node['name']}": Parameter(node, node["schema"], rules) for node in operation.parameters
        }
        media = operation.body
        self._body: Validator | None = rules.get(media["schema"]) if media else None
        self._schema = media["schema"] if media else {}
        self._bodies = examples(media, operation.document) if media else {}
        self._answers = {
            status: {name: value for media in node.get("content", {}).values()
                     for name, value in examples(media, operation.document).items()}
            for status, node in operation.responses.items()
        }  # fmt: skip

    def _fact(self, kind: str, what: str) -> Fact:
        return Fact(kind, self.operation.id, what)

    def expected(self) -> Iterator[Fact]:
        yield self._fact("operation", "succeeds")
        yield from (self._fact("status", status) for status in self._answers)
        for name, parameter in self._parameters.items():
            ways = ["given", "invalid"] if parameter.required else ["given", "absent", "invalid"]
            yield from (self._fact("parameter", f"{name} {way}") for way in ways)
        for place, keyword in keywords(self.operation, self._schema):
            ways = ["kept"] if keyword == "nullable" else ["kept", "broken"]
            yield from (self._rule(place, keyword, way) for way in ways)
        yield from (self._fact("example", f"request {name}") for name in self._bodies)
        for status, known in self._answers.items():
            yield from (self._fact("example", f"{status} {name}") for name in known)

    def request(self, exchange: Exchange, in_path: dict[str, str]) -> Iterator[Fact]:
        if exchange.status < 300:
            yield self._fact("operation", "succeeds")
        yield from self._values(exchange, in_path)
        # What was refused unread may be anything, and explaining it may take all memory.
        if self._body is not None and exchange.status in {200, 201, 422}:
            yield from self._sent(parsed(exchange.body, "json"), exchange.status)

    def _sent(self, body: Any, status: int) -> Iterator[Fact]:
        """A rule is kept by a body that was taken, and broken by one that was refused for it."""
        if status == 422 and self._body is not None:
            broken = {(place_of(violation), violation.code) for violation in self._body.violations(body)}
            yield from (self._rule(*one, "broken") for one in broken)
        elif status < 300:
            for place, keyword, value in reached(self.operation, self._schema, body):
                if (keyword == "nullable") == (value is None):
                    yield self._rule(place, keyword, "kept")
        for name, example in self._bodies.items():
            if shape(example) == shape(body):
                yield self._fact("example", f"request {name}")

    def _values(self, exchange: Exchange, in_path: dict[str, str]) -> Iterator[Fact]:
        try:
            given = {f"query {name}": value for name, value in parse_query(exchange.query.encode("latin-1"))}
        except MalformedRequest:
            return
        given |= {f"header {name}": exchange.headers[name.lower()] for name in self._names("header")
                  if name.lower() in exchange.headers}  # fmt: skip
        given |= {f"path {name}": unquote(value) for name, value in in_path.items()}
        for name, parameter in self._parameters.items():
            found: list[Violation] = []
            parameter.read(given.get(name), found)
            way = "absent" if name not in given else "invalid" if found else "given"
            if (way == "invalid") == (exchange.status >= 400):
                yield self._fact("parameter", f"{name} {way}")

    def _names(self, place: str) -> list[str]:
        return [key.partition(" ")[2] for key in self._parameters if key.startswith(place)]

    def _rule(self, place: str, keyword: str, way: str) -> Fact:
        return self._fact("keyword", f"{place or '/'} {keyword} {way}")

    def answer(self, exchange: Exchange, found: set[Fact]) -> Iterator[Fact]:
        status = str(exchange.status)
        known = {
            self._fact("example", f"{status} {name}"): value for name, value in self._answers.get(status, {}).items()
        }
        if known.keys() <= found:
            return
        body = parsed(exchange.answer, "json" if exchange.answer.startswith(b"{") else "yaml")
        yield from (fact for fact, value in known.items() if alike(value, body))
