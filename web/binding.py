"""Binds a request to its operation: parameters and body become handler arguments, or one error lists every violation.

Decision 1.
"""

from __future__ import annotations

from typing import Any

from web.context import RequestContext
from web.contract import strict_json
from web.contract.operations import Operation
from web.contract.parameters import parse_query
from web.contract.schemas import sanitize
from web.exceptions import Invalid, PreconditionRequired, Violation
from web.http import preconditions


def bind(operation: Operation, context: RequestContext) -> None:
    """Fills `context.arguments`. Raises Invalid with every violation, MalformedRequest, PreconditionRequired."""
    arguments, violations = context.arguments, context.violations
    arguments.update(context.path_values)
    query = context.scope["query_string"]
    values = _query_values(operation, query, violations) if query else {}
    for name, parameter in operation.query.items():
        arguments[parameter.argument] = parameter.read(values.get(name), violations)
    for name_bytes, parameter in operation.header_parameters.items():
        raw = context.headers.get(name_bytes)
        arguments[parameter.argument] = parameter.read(None if raw is None else raw.decode("latin-1"), violations)
    if operation.body is not None:
        _bind_body(operation, context)
    if violations:
        raise Invalid(violations)
    if operation.requires_if_match and b"if-match" not in context.headers:
        raise PreconditionRequired("This server requires If-Match on every change")


def handler_arguments(operation: Operation, context: RequestContext) -> dict[str, Any]:
    """The keyword arguments of the handler."""
    arguments = context.arguments | {"caller": context.caller}
    if "if_match" in arguments:
        arguments["if_match"] = preconditions.expected_version(arguments["if_match"])
    return {name: arguments[name] for name in operation.handler_args}


def _query_values(operation: Operation, query: bytes, violations: list[Violation]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_query(query):
        if name not in operation.query:
            violations.append(Violation(f"query/{sanitize(name)}", "additionalProperties", "is not a known parameter"))
        elif name in values:
            violations.append(Violation(f"query/{name}", "maxItems", "must be given once at most"))
        values[name] = value
    return values


def _bind_body(operation: Operation, context: RequestContext) -> None:
    if not context.body:
        context.violations.append(Violation("", "required", "a JSON body is required"))
        return
    body = context.arguments["body"] = strict_json.parse(context.body)
    if operation.body is not None and not operation.body.is_valid(body):
        context.violations.extend(operation.body.violations(body))
