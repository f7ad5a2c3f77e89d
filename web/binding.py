"""Binds a request to its operation: parameters and body become handler arguments, or one error lists every violation.

Decision 1.
"""

from __future__ import annotations

from typing import Any

from models.exceptions import NotFound
from web.context import RequestContext
from web.contract.media_types import RequestBody
from web.contract.operations import Operation
from web.contract.parameters import Parameter, decode, split_query
from web.contract.schemas import sanitize
from web.exceptions import Invalid, PreconditionRequired, Violation
from web.http import preconditions


def bind(operation: Operation, context: RequestContext) -> None:
    """Fills `context.arguments`.

    Raises NotFound, Invalid with every violation, MalformedRequest, PreconditionRequired.
    """
    arguments, violations = context.arguments, context.violations
    arguments.update(context.path_values)
    if operation.typed_path:
        _convert_path(operation, arguments)
    query = context.scope["query_string"]
    values = _query_values(operation, query, violations) if query else {}
    for name, parameter in operation.query.items():
        arguments[parameter.argument] = parameter.read(values.get(name), violations)
    for name_bytes, parameter in operation.header_parameters.items():
        lines = _header_values(name_bytes, parameter, context) if name_bytes in context.headers else None
        arguments[parameter.argument] = parameter.read(lines, violations)
    if operation.body is not None:
        _bind_body(operation.body, context)
    if violations:
        raise Invalid(violations)
    if operation.requires_if_match and b"if-match" not in context.headers:
        raise PreconditionRequired("This server requires If-Match on every change")


def handler_arguments(operation: Operation, context: RequestContext) -> dict[str, Any]:
    """The keyword arguments of the handler."""
    arguments = context.arguments | {"caller": context.caller}
    if "if_match" in arguments:
        arguments["if_match"] = preconditions.expected_version(arguments["if_match"])
    # A comprehension would be one more function call in Python 3.11.
    return dict(zip(operation.handler_args, map(arguments.__getitem__, operation.handler_args), strict=True))


def _convert_path(operation: Operation, arguments: dict[str, Any]) -> None:
    """A path value of another form identifies nothing. Raises NotFound."""
    for parameter in operation.typed_path:
        text, violations = arguments[parameter.argument], list[Violation]()
        arguments[parameter.argument] = parameter.read([text], violations)
        if violations:
            raise NotFound("The path identifies nothing", **{parameter.argument: text})


def _query_values(operation: Operation, query: bytes, violations: list[Violation]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, raw in split_query(query):
        parameter = operation.query.get(name)
        if parameter is None and operation.ignores_unknown_query:
            continue
        if parameter is not None and parameter.is_array and not parameter.is_exploded:
            values.setdefault(name, []).extend(map(decode, raw.split(b",")))
            continue
        values.setdefault(name, []).append(decode(raw))
        if parameter is None and name not in operation.security.query:
            violations.append(Violation(f"query/{sanitize(name)}", "additionalProperties", "is not a known parameter"))
    return values


def _header_values(name: bytes, parameter: Parameter, context: RequestContext) -> list[str]:
    """The values of a header field; those of an array may be in one line or in several (RFC 9110 section 5.3)."""
    fields = context.scope["headers"]
    if len(fields) == len(context.headers):
        lines = [context.headers[name].decode("latin-1")]
    else:
        lines = [value.decode("latin-1") for field, value in fields if field == name]
    return [text for line in lines for text in parameter.split(line)]


def _bind_body(body: RequestBody, context: RequestContext) -> None:
    if not context.body:
        context.arguments["body"] = None
        if body.required:
            context.violations.append(Violation("", "required", "a body is required"))
        return
    media_type = body.media_type(context.headers.get(b"content-type", b""))
    value, is_valid = media_type.decode(context.body)
    context.arguments["body"] = value
    if not is_valid:
        context.violations.extend(media_type.violations(value))
