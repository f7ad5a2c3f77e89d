"""Calls the handler and checks its response against the contract, before the transaction commits.

Decisions 1 and 31.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from models.db import connection
from models.db.database import Database
from web.binding import handler_arguments
from web.context import RequestContext
from web.contract.media_types import MediaType
from web.contract.operations import Operation, ResponseObject
from web.exceptions import InternalError
from web.http import idempotency, preconditions, request_checks
from web.responses import RawBody, Response, StreamedBody, WithETag, WithStatus, encode_headers

log = structlog.get_logger("web.dispatch")


class Dispatcher:
    """Calls handlers. `enforce`: a response that breaks the contract becomes a 500; else it is only logged."""

    def __init__(self, database: Database, *, enforce: bool) -> None:
        self.database = database
        self.enforce = enforce
        self._idempotency = idempotency.IdempotencyGuard()

    async def dispatch(self, operation: Operation, context: RequestContext) -> Response:
        """The response of the operation's handler. Raises what the handler raises.

        A coroutine runs on the event loop and must not block; Database.call chooses where a plain function runs.
        """
        if operation.is_async:
            with self.database.use():
                result = await operation.handler(**handler_arguments(operation, context))
            return self.checked(operation, context, build_response(operation, context, result))
        user_id = context.caller.user_id if operation.writes and context.caller is not None else ""
        return await self.database.call(self.call, operation, context, writes=operation.writes, user_id=user_id)

    def call(self, operation: Operation, context: RequestContext) -> Response:
        """The response of a handler that is a plain function. If it may write, it runs in a transaction."""
        try:
            with self._read_your_writes(operation, context):
                if operation.idempotent and b"idempotency-key" in context.headers:
                    return self._idempotency(context, lambda: self._call_and_commit(operation, context))
                return (self._call_and_commit if operation.writes else self._call)(operation, context)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as escape:
            raise RuntimeError("a handler tried to stop the process") from escape

    def _read_your_writes(self, operation: Operation, context: RequestContext) -> AbstractContextManager[None]:
        """A GET may read from the replica, unless its user has written within `replica_lag_seconds`."""
        replica = self.database.replica
        if replica is None or context.caller is None:
            return nullcontext()
        return (replica.writing_as if operation.writes else replica.reading_as)(context.caller.user_id)

    @connection.transaction
    def _call_and_commit(self, operation: Operation, context: RequestContext) -> Response:
        """The response, made and validated before the commit: what cannot be answered has no effect."""
        response = self._call(operation, context)
        encode_headers(response.headers)  # raises for a value that no header field can have
        return response

    def _call(self, operation: Operation, context: RequestContext) -> Response:
        result = operation.handler(**handler_arguments(operation, context))
        return self.checked(operation, context, build_response(operation, context, result))

    def checked(self, operation: Operation, context: RequestContext, response: Response) -> Response:
        """The response. If it breaks the contract, that is logged, and raises InternalError if `enforce`."""
        documented = operation.responses.get(response.status)
        error = "the status is not documented" if documented is None else documented.error(response)
        if error is not None:
            fields = {"operation": operation.id, "status": response.status, "error": error[:2000]}
            log.error("response breaks the contract", trace_id=context.request_id, **fields)
            if self.enforce:
                raise InternalError("The response did not match the contract; the trace id finds it in the log")
        return response


def build_response(operation: Operation, context: RequestContext, result: Any) -> Response:
    """The success response of a handler's result, or 304 if If-None-Match has its tag (RFC 9110 section 15.4.5)."""
    status, headers, body = _unwrap(operation, result)
    if not operation.writes and preconditions.is_known(context.arguments.get("if_none_match"), headers.get("etag")):
        return Response(304, headers, b"")
    if isinstance(body, RawBody):
        return Response(status, headers | {"content-type": body.media_type}, body.content)
    if isinstance(body, StreamedBody):
        headers["content-type"] = body.media_type
        return Response(status, headers, b"", pieces=body.pieces, length=body.length)
    documented = operation.responses.get(status)
    return Response(status, headers, b"", body) if documented is None else _encode(documented, context, headers, body)


def _unwrap(operation: Operation, result: Any) -> tuple[int, dict[str, str], Any]:
    """Status, header fields and body of a handler's result."""
    status, headers = operation.success, {}
    if isinstance(result, WithStatus):
        status, headers, result = result.status, dict(result.headers), result.body
    if isinstance(result, WithETag):
        headers["etag"], result = f'"{result.tag}"', result.body
    return status, headers, result


def _encode(documented: ResponseObject, context: RequestContext, headers: dict[str, str], body: Any) -> Response:
    if documented.location is not None and "location" not in headers:
        headers["location"] = documented.location.expand(context.arguments, headers, body)
    media_type = _negotiate(documented, context) if documented.is_negotiated else documented.media_type
    if media_type is None:
        return Response(documented.status, headers, b"", body)
    headers["content-type"] = media_type.name
    return Response(documented.status, headers, media_type.encode(body), body)


def _negotiate(documented: ResponseObject, context: RequestContext) -> MediaType | None:
    """The first media type that Accept allows, or the first one."""
    allowed = (found for found in documented.media_types.values() if request_checks.accepts(context, [found.essence]))
    return next(allowed, documented.media_type)
