"""The contract, compiled: one object per operation that holds all that does not depend on the request."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import orjson

from web.context import RequestContext
from web.contract import deprecation, strict_json
from web.contract import document as contract
from web.contract.links import LocationTemplate
from web.contract.parameters import Parameter, parse_query
from web.contract.schemas import Validator, ValidatorCache, sanitize
from web.exceptions import Invalid, PreconditionRequired, Violation
from web.http import preconditions
from web.responses import RawBody, Response, WithETag, encode_headers

JSON = "application/json"


class Operation:
    """One operation of the contract, ready to read a request, call its handler and check the answer."""

    def __init__(
        self,
        document: dict[str, Any],
        rules: ValidatorCache,
        path: str,
        method: str,
        handler: Callable[..., Any],
        *,
        demand_if_match: bool = False,
    ) -> None:
        node = document["paths"][path][method]
        self._document = document
        self._rules = rules
        self.id: str = node["operationId"]
        self.method = method.upper()
        self.writes = method != "get"
        self.path: str = document["servers"][0]["url"].rstrip("/") + path
        self.path_names: list[str] = re.findall(r"\{(\w+)\}", path)
        self.public = node.get("security", document["security"]) == []
        self.scope: str | None = node.get("x-scope")
        self.quota: str = node["x-rate-limit"]
        self.deprecation_headers = encode_headers(deprecation.headers(node))
        self.handler = handler
        # What has a value already, such as a store, is not taken from the request.
        parameters = inspect.signature(handler).parameters.values()
        self.handler_args = tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)
        self.is_async = inspect.iscoroutinefunction(handler)
        self._read_parameters(path, node)
        self._read_bodies(node)
        self.idempotent = b"idempotency-key" in self.fields
        self.requires_if_match = demand_if_match and b"if-match" in self.fields

    def _read_parameters(self, path: str, node: dict[str, Any]) -> None:
        shared = self._document["paths"][path].get("parameters", [])
        nodes = [contract.lookup(self._document, p) for p in [*shared, *node.get("parameters", [])]]
        self.query = {p["name"]: self._parameter(p) for p in nodes if p["in"] == "query"}
        self.fields = {p["name"].lower().encode(): self._parameter(p) for p in nodes if p["in"] == "header"}

    def _parameter(self, node: dict[str, Any]) -> Parameter:
        return Parameter(node, contract.lookup(self._document, node["schema"]), self._rules)

    def _read_bodies(self, node: dict[str, Any]) -> None:
        body = contract.lookup(self._document, node.get("requestBody", {}))
        self.body = self._validator(body.get("content", {}))
        responses = {int(s): contract.lookup(self._document, r) for s, r in node["responses"].items()}
        self.responses = {status: self._validator(r.get("content", {})) for status, r in responses.items()}
        self.success = min(responses)
        content = responses[self.success].get("content", {JSON: {}})
        self.produces = next(iter(content))
        self.location = LocationTemplate(self._document, responses[self.success].get("links", {}))

    def _validator(self, content: dict[str, Any]) -> Validator | None:
        return self._rules.of(content[JSON]["schema"]) if JSON in content else None

    def read(self, context: RequestContext) -> None:
        """Fills in the arguments. Raises Invalid with every violation, MalformedRequest, PreconditionRequired."""
        self.bind_parameters(context)
        self.bind_body(context)
        self.raise_if_invalid(context)

    def bind_parameters(self, context: RequestContext) -> None:
        """Path, query and header arguments; violations are gathered on the exchange."""
        arguments, found = context.arguments, context.violations
        arguments.update(context.path_values)
        query = context.scope["query_string"]
        given = self._given(query, found) if query else {}
        for name, parameter in self.query.items():
            arguments[parameter.argument] = parameter.read(given.get(name), found)
        for field, parameter in self.fields.items():
            raw = context.headers.get(field)
            arguments[parameter.argument] = parameter.read(None if raw is None else raw.decode("latin-1"), found)

    def _given(self, query: bytes, found: list[Violation]) -> dict[str, str]:
        given: dict[str, str] = {}
        for name, value in parse_query(query):
            if name not in self.query:
                found.append(Violation(f"query/{sanitize(name)}", "additionalProperties", "is not a known parameter"))
            elif name in given:
                found.append(Violation(f"query/{name}", "maxItems", "must be given once at most"))
            given[name] = value
        return given

    def bind_body(self, context: RequestContext) -> None:
        """The body argument; violations are gathered on the exchange. Raises MalformedRequest."""
        if self.body is None:
            return
        if not context.body:
            context.violations.append(Violation("", "required", "a JSON body is required"))
            return
        body = context.arguments["body"] = strict_json.parse(context.body)
        if not self.body.is_valid(body):
            context.violations.extend(self.body.violations(body))

    def raise_if_invalid(self, context: RequestContext) -> None:
        """Raises Invalid when anything was found, then PreconditionRequired where If-Match is demanded and missing."""
        if context.violations:
            raise Invalid(context.violations)
        if self.requires_if_match and b"if-match" not in context.headers:
            raise PreconditionRequired("This server demands If-Match on every change")

    def arguments(self, context: RequestContext) -> dict[str, Any]:
        """What the handler takes, by name."""
        known = context.arguments | {"caller": context.caller}
        if "if_match" in known:
            known["if_match"] = preconditions.expected_version(known["if_match"])
        return {name: known[name] for name in self.handler_args}

    def response_error(self, status: int, data: Any) -> str | None:
        """How an answer breaks the contract, or None. `data` is the JSON body, None where there is none."""
        if status not in self.responses:
            return f"status {status} is not documented"
        rules = self.responses[status]
        if data is None or rules is None or rules.is_valid(data):
            return None
        return "; ".join(f"{v.pointer} {v.message}" for v in rules.violations(data))

    def response(self, context: RequestContext, result: Any) -> Response:
        """A handler's result as the documented success, or 304 where the client knows it (RFC 9110 section 15.4.5)."""
        headers = {"content-type": self.produces}
        if isinstance(result, WithETag):
            tag = headers["etag"] = f'"{result.tag}"'
            if self.method == "GET" and preconditions.is_known(context.arguments.get("if_none_match"), tag):
                return Response(304, {"etag": tag}, b"")
            result = result.body
        if isinstance(result, RawBody):
            return Response(self.success, headers, result.content)
        if self.success == 201:
            headers["location"] = self.location.of(context.path_values, result)
        return Response(self.success, headers, orjson.dumps(result), result)
