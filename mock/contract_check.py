"""Checks requests and responses of any server against the contract, with the parts that the service itself uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from mock.dispatcher import not_implemented
from models.exceptions import Failure
from web import binding
from web.context import RequestContext
from web.contract.media_types import MediaType
from web.contract.operations import Operation, ResponseObject, as_parameter
from web.contract.parameters import Parameter
from web.contract.reading import operations
from web.contract.schemas import ValidatorCache
from web.exceptions import Invalid, Violation
from web.http import request_checks
from web.router import Router

Headers = Sequence[tuple[bytes, bytes]]
"""Header fields with lower-case names."""


class ContractCheck:
    """The operations of one document, compiled as for the service."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._nodes = {node.id: node for node in operations(document)}
        self._validators = ValidatorCache(document)
        nodes = self._nodes.values()
        self._router = Router([Operation(node, self._validators, not_implemented) for node in nodes])
        self._headers = cache(self._compile_headers)

    def request(self, context: RequestContext) -> list[Violation]:
        """The violations of a request with its body; sets the operation of the context if there is one."""
        try:
            request_checks.check_headers(context)
            operation, context.path_values = self._router.find(context.method, context.path)
            context.operation = operation
            if not operation.public and not any(name in context.headers for name, _, _ in operation.security.headers):
                return [Violation("", "security", "a credential is required")]
            request_checks.negotiate(operation, context)
            binding.bind(operation, context)
        except Invalid:
            return context.violations
        except Failure as failure:
            return [Violation("", failure.code, failure.system_message)]
        return []

    def response(self, operation: Operation, status: int, headers: Headers, body: bytes | None) -> list[Violation]:
        """The violations of a response; `body` is None if it is not looked at."""
        documented = operation.responses.get(status)
        if documented is None:
            return [Violation("", "status", f"the status {status} is not documented")]
        violations = list(_body_violations(documented, headers, body))
        for name, parameter in self._headers(operation.id, status).items():
            lines = [text for line in _values(headers, name) for text in parameter.split(line)]
            parameter.read(lines or None, violations)
        return violations

    def _compile_headers(self, operation_id: str, status: int) -> dict[str, Parameter]:
        node = self._nodes[operation_id]
        declared = node.by_status[status].get("headers", {})
        return {
            name.lower(): Parameter(as_parameter(node, name, header), self._validators)
            for name, header in declared.items()
        }


def _values(headers: Headers, name: str) -> list[str]:
    return [value.decode("latin-1") for field, value in headers if field == name.encode()]


def _body_violations(documented: ResponseObject, headers: Headers, body: bytes | None) -> Iterator[Violation]:
    content_type = next(iter(_values(headers, "content-type")), "")
    if not body:
        if body is not None and documented.media_type is not None:
            yield Violation("", "required", "a body is required")
        return
    media_type = _media_type(documented, content_type)
    if media_type is None:
        yield Violation("header/Content-Type", "content", f"a body of {content_type or 'no type'} is not documented")
        return
    try:
        value, is_valid = media_type.decode(body)
    except Failure as failure:
        yield Violation("", failure.code, failure.system_message)
        return
    yield from () if is_valid else media_type.violations(value)


def _media_type(documented: ResponseObject, content_type: str) -> MediaType | None:
    essence = content_type.partition(";")[0].strip().lower()
    return next((found for found in documented.media_types.values() if found.essence == essence), None)
