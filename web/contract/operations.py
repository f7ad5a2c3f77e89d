"""Compiled operations: one object per operation with everything that does not depend on the request.

Decision 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from web.contract import deprecation, links
from web.contract.media_types import MediaType, RequestBody
from web.contract.parameters import Parameter, argument_name
from web.contract.reading import OperationObject
from web.contract.schemas import ValidatorCache
from web.contract.security import Security
from web.exceptions import Violation
from web.responses import UNCHECKED, Response, encode_headers

_SAFE_METHODS = ("GET", "HEAD")
# Header fields that the server adds by itself: to every response, after the response was checked, or before that.
_IN_EVERY_RESPONSE = frozenset(
    ("cache-control", "content-security-policy", "content-type", "referrer-policy", "vary", "x-content-type-options",
     "x-request-id")
)  # fmt: skip
ADDED_LATER = frozenset(
    ("deprecation", "idempotent-replayed", "ratelimit", "ratelimit-policy", "server-timing", "sunset",
     "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
)  # fmt: skip
_ADDED_BEFORE = frozenset(
    ("accept-patch", "accept-post", "allow", "etag", "link", "location", "retry-after", "www-authenticate")
)


class Operation:
    """One compiled operation, used by web.binding and web.dispatch.

    `query` and `header_parameters` are the parameters by name (headers in lower-case bytes), `typed_path` those of the
    path that are not any text, `responses` the documented responses by status, `produces` the media types of the
    success responses, `path_names` and `handler_args` the names of arguments of the handler, `idempotent` whether the
    server keeps the response to an Idempotency-Key, `invalid_request` the error code of every request that breaks the
    contract, or None.
    """

    def __init__(
        self,
        node: OperationObject,
        validators: ValidatorCache,
        handler: Callable[..., Any],
        *,
        public_path: str = "",
        require_if_match: bool = False,
        responses: ResponseCache | None = None,
    ) -> None:
        self.id = node.id
        self.method = node.method
        self.path = node.path
        self.path_names = list(map(argument_name, node.path_names))
        self.writes = node.method not in _SAFE_METHODS
        self.public = node.is_public
        self.security = Security(node.document, node.security_requirements, node.scope)
        self.quota: str = node.node["x-rate-limit"]
        self.token_quota: str = node.node.get("x-token-rate-limit", "")
        self.invalid_request: str | None = node.node.get("x-invalid-request")
        self.ignores_unknown_query = node.node.get("x-unknown-query") == "ignored"
        fields = deprecation.headers(node.node, public_path)
        self.deprecation_link = fields.pop("link", "")
        self.deprecation_headers = encode_headers(fields)
        self.handler = handler
        self.handler_args = tuple(inspect.signature(handler).parameters)
        self.is_async = inspect.iscoroutinefunction(handler)
        self.query = {p["name"]: Parameter(p, validators) for p in node.parameters_in("query")}
        self.header_parameters = {
            p["name"].lower().encode(): Parameter(p, validators) for p in node.parameters_in("header")
        }
        typed = (Parameter(p, validators) for p in node.parameters_in("path"))
        self.typed_path = [parameter for parameter in typed if not parameter.is_text]
        self.body = RequestBody(node, validators) if node.request_body else None
        self.responses = (responses or ResponseCache(validators, public_path)).of(node)
        self.success = node.success
        successes = [response for status, response in self.responses.items() if status < 400]
        self.produces = list(dict.fromkeys(m.essence for response in successes for m in response.media_types.values()))
        self.idempotent = b"idempotency-key" in self.header_parameters and not node.has_own_idempotency
        self.requires_if_match = require_if_match and b"if-match" in self.header_parameters


class ResponseObject:
    """A compiled Response Object: media types by name, header names in lower case, and the template of Location.

    `checked_headers` are those that only a handler can give, and those that are required.
    """

    def __init__(self, operation: OperationObject, status: int, validators: ValidatorCache, public_path: str) -> None:
        node = operation.by_status[status]
        self.status = status
        self.description: str = node["description"]
        self.media_types = {
            name: MediaType(name, operation.follow(media), validators, "writeOnly")
            for name, media in node.get("content", {}).items()
        }
        self.media_type = next(iter(self.media_types.values()), None)
        self.is_negotiated = len(self.media_types) > 1
        # The proxy takes X-Accel-Redirect out; no client sees it.
        self.headers = {name.lower() for name in node.get("headers", {})} | {"content-type", "x-accel-redirect"}
        headers = {
            name.lower(): Parameter(as_parameter(operation, name, header), validators)
            for name, header in node.get("headers", {}).items()
            if name.lower() not in _IN_EVERY_RESPONSE | ADDED_LATER
        }
        self.checked_headers = {
            name: header for name, header in headers.items() if header.required or name not in _ADDED_BEFORE
        }
        has_location = "location" in self.headers
        self.needs_location = has_location and (status == 201 or status // 100 == 3)
        self.location = links.location(operation, node.get("links", {}), public_path) if has_location else None

    def error(self, response: Response) -> str | None:
        """The violations of a response with this status as text, or None."""
        headers, data = response.headers, response.data
        media_type = self.media_types.get(headers.get("content-type", ""))
        if media_type is None:
            if response.body or response.pieces or data not in (None, UNCHECKED):
                return f"a body of {headers.get('content-type', 'no media type')} is not documented"
        elif data is not UNCHECKED and not media_type.is_valid(data):
            return _as_text(media_type.violations(data))
        if len(headers) > 1 and response.status < 400 and not self.headers.issuperset(headers):
            return f"the headers {', '.join(headers.keys() - self.headers)} are not documented"
        if self.needs_location and "location" not in headers:
            return "it has no Location; the contract needs a link to a GET, or the handler gives it"
        return _as_text(self._header_violations(headers)) if self.checked_headers else None

    def _header_violations(self, headers: dict[str, str]) -> Iterator[Violation]:
        violations: list[Violation] = []
        for name, header in self.checked_headers.items():
            header.read(header.split(headers[name]) if name in headers else None, violations)
        return iter(violations)


class ResponseCache:
    """The compiled Response Objects of one document; operations that refer to the same error share its object."""

    def __init__(self, validators: ValidatorCache, public_path: str) -> None:
        self._validators = validators
        self._public_path = public_path
        self._compiled: dict[tuple[int, int], ResponseObject] = {}

    def of(self, operation: OperationObject) -> dict[int, ResponseObject]:
        """The documented responses of an operation by status."""
        return {status: self._response(operation, status) for status in operation.by_status}

    def _response(self, operation: OperationObject, status: int) -> ResponseObject:
        """The response; one with a Location is of its operation alone, whose links make it."""
        key = (status, id(operation.by_status[status]))  # the document is alive as long as the validators
        found = self._compiled.get(key) or ResponseObject(operation, status, self._validators, self._public_path)
        if found.location is None:
            self._compiled[key] = found
        return found


def as_parameter(operation: OperationObject, name: str, header: dict[str, Any]) -> dict[str, Any]:
    """A Header Object as the header parameter that it describes (OpenAPI 3.0.3, Header Object)."""
    node: dict[str, Any] = operation.follow(header)
    return node | {"in": "header", "name": name, "schema": operation.follow(node.get("schema", {}))}


def _as_text(violations: Iterator[Violation]) -> str | None:
    return "; ".join(f"{v.pointer} {v.message}" for v in violations) or None
