"""Contract coverage: the facts of the contract that tests can exercise, and those that an exchange exercises.

Decision 15.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from tools.contract.schema_coverage import alike, keywords, parsed, reached, schema_place, shape
from web.contract.parameters import Parameter, parse_query
from web.contract.reading import OperationObject, examples, operations, path_pattern
from web.contract.schemas import Validator, ValidatorCache
from web.exceptions import MalformedRequest, Violation

KINDS = ("operation", "status", "parameter", "keyword", "example")


class Fact(NamedTuple):
    """One statement of the contract about an operation that a test can exercise."""

    kind: str
    operation: str
    what: str


class Exchange(NamedTuple):
    """One request and its response, as a client sees them; `query` is without the question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    response: bytes


class Tally:
    """Collects the facts of one document that exchanges exercise."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.found: set[Fact] = set()
        validators = ValidatorCache(document)
        self._operations = [
            _OperationFacts(operation, path_pattern(operation.path), validators) for operation in operations(document)
        ]

    def expected(self) -> set[Fact]:
        """All facts that can be exercised."""
        return {fact for facts in self._operations for fact in facts.expected()}

    def add(self, exchange: Exchange) -> None:
        """Adds the facts of an exchange, documented or not."""
        self.found.update(self._seen(exchange))

    def _seen(self, exchange: Exchange) -> Iterator[Fact]:
        """The facts of an exchange.

        A path with an extra slash counts as the operation's 404; a missing method of a path as the 405 of all its
        operations.
        """
        path = exchange.path.rstrip("/") or "/"
        for facts in self._operations:
            match = facts.form.fullmatch(path)
            if match and (exchange.status == 405 or exchange.method == facts.operation.method):
                yield Fact("status", facts.operation.id, str(exchange.status))
                if exchange.status != 405 and path == exchange.path:
                    yield from facts.request(exchange, match.groupdict())
                yield from facts.response(exchange, self.found)


class _OperationFacts:
    def __init__(self, operation: OperationObject, form: re.Pattern[str], validators: ValidatorCache) -> None:
        self.operation = operation
        self.form = form
        self._parameters = {
            f"{node['in']} {node['name']}": Parameter(node, validators) for node in operation.parameters
        }
        media = operation.body
        self._body: Validator | None = validators.get(media["schema"]) if media else None
        self._schema = media["schema"] if media else {}
        self._bodies = examples(media, operation.document) if media else {}
        self._responses = {
            status: {name: value for media in node.get("content", {}).values()
                     for name, value in examples(media, operation.document).items()}
            for status, node in operation.responses.items()
        }  # fmt: skip

    def _fact(self, kind: str, what: str) -> Fact:
        return Fact(kind, self.operation.id, what)

    def expected(self) -> Iterator[Fact]:
        yield self._fact("operation", "succeeds")
        yield from (self._fact("status", status) for status in self._responses)
        for name, parameter in self._parameters.items():
            ways = ["given", "invalid"] if parameter.required else ["given", "absent", "invalid"]
            yield from (self._fact("parameter", f"{name} {way}") for way in ways)
        for place, keyword in keywords(self.operation, self._schema):
            ways = ["kept"] if keyword == "nullable" else ["kept", "broken"]
            yield from (self._rule(place, keyword, way) for way in ways)
        yield from (self._fact("example", f"request {name}") for name in self._bodies)
        for status, known in self._responses.items():
            yield from (self._fact("example", f"{status} {name}") for name in known)

    def request(self, exchange: Exchange, in_path: dict[str, str]) -> Iterator[Fact]:
        if exchange.status < 300:
            yield self._fact("operation", "succeeds")
        yield from self._values(exchange, in_path)
        # A body that was refused without being read may be anything, and finding its violations may exhaust memory.
        if self._body is not None and exchange.status in {200, 201, 422}:
            yield from self._sent(parsed(exchange.body, "json"), exchange.status)

    def _sent(self, body: Any, status: int) -> Iterator[Fact]:
        """An accepted body keeps rules; a body refused with 422 breaks those that it violates."""
        if status == 422 and self._body is not None:
            broken = {(schema_place(violation), violation.code) for violation in self._body.violations(body)}
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
            values = {f"query {name}": value for name, value in parse_query(exchange.query.encode("latin-1"))}
        except MalformedRequest:
            return
        values |= {f"header {name}": exchange.headers[name.lower()] for name in self._names("header")
                  if name.lower() in exchange.headers}  # fmt: skip
        values |= {f"path {name}": unquote(value) for name, value in in_path.items()}
        for name, parameter in self._parameters.items():
            violations: list[Violation] = []
            parameter.read([values[name]] if name in values else None, violations)
            way = "absent" if name not in values else "invalid" if violations else "given"
            if (way == "invalid") == (exchange.status >= 400):
                yield self._fact("parameter", f"{name} {way}")

    def _names(self, place: str) -> list[str]:
        return [key.partition(" ")[2] for key in self._parameters if key.startswith(place)]

    def _rule(self, place: str, keyword: str, way: str) -> Fact:
        return self._fact("keyword", f"{place or '/'} {keyword} {way}")

    def response(self, exchange: Exchange, found: set[Fact]) -> Iterator[Fact]:
        status = str(exchange.status)
        known = {
            self._fact("example", f"{status} {name}"): value for name, value in self._responses.get(status, {}).items()
        }
        if known.keys() <= found:
            return
        body = parsed(exchange.response, "json" if exchange.response.startswith(b"{") else "yaml")
        yield from (fact for fact, value in known.items() if alike(value, body))
