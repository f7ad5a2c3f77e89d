"""Compiled operations: one object per operation with everything that does not depend on the request.

Decision 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from web.contract import deprecation
from web.contract.links import LocationTemplate
from web.contract.parameters import Parameter
from web.contract.reading import JSON, OperationObject
from web.contract.schemas import Validator, ValidatorCache
from web.responses import encode_headers


class Operation:
    """One compiled operation, used by web.binding and web.dispatch.

    `query` and `header_parameters` are the parameters by name (headers in lower-case bytes), `body` and `responses`
    the validators of the JSON bodies (responses by status; None: no JSON body), `produces` the media type of the
    success response, `handler_args` the names of the handler's parameters.
    """

    def __init__(
        self,
        node: OperationObject,
        validators: ValidatorCache,
        handler: Callable[..., Any],
        *,
        require_if_match: bool = False,
    ) -> None:
        self.id = node.id
        self.method = node.method
        self.path = node.path
        self.path_names = node.path_names
        self.writes = node.method != "GET"
        self.public = node.is_public
        self.scope = node.scope
        self.quota: str = node.node["x-rate-limit"]
        fields = deprecation.headers(node.node)
        self.deprecation_link = fields.pop("link", "")
        self.deprecation_headers = encode_headers(fields)
        self.handler = handler
        self.handler_args = tuple(inspect.signature(handler).parameters)
        self.is_async = inspect.iscoroutinefunction(handler)
        self.query = {p["name"]: Parameter(p, p["schema"], validators) for p in node.parameters_in("query")}
        self.header_parameters = {
            p["name"].lower().encode(): Parameter(p, p["schema"], validators) for p in node.parameters_in("header")
        }
        self.body = None if node.body is None else validators.get(node.body["schema"])
        self.responses = {status: _validator(r, validators) for status, r in node.by_status.items()}
        self.success = node.success
        success = node.by_status[self.success]
        self.produces: str = next(iter(success.get("content", {JSON: {}})))
        self.location = LocationTemplate(node.document, success.get("links", {}))
        self.idempotent = b"idempotency-key" in self.header_parameters
        if self.idempotent and self.is_async:
            raise TypeError(f"The handler {self.id} takes Idempotency-Key: make it a plain function, not a coroutine.")
        self.requires_if_match = require_if_match and b"if-match" in self.header_parameters

    def response_error(self, status: int, data: Any) -> str | None:
        """The violations of a response as text, or None. `data` is the JSON body, or None."""
        if status not in self.responses:
            return f"status {status} is not documented"
        validator = self.responses[status]
        if data is None or validator is None or validator.is_valid(data):
            return None
        return "; ".join(f"{v.pointer} {v.message}" for v in validator.violations(data))


def _validator(response: dict[str, Any], validators: ValidatorCache) -> Validator | None:
    content = response.get("content", {})
    return validators.get(content[JSON]["schema"]) if JSON in content else None
