"""Calls the handler and checks its response against the contract, before the transaction commits.

Decisions 1 and 31.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import orjson
import structlog

from models.db.database import Database
from web.binding import handler_arguments
from web.context import RequestContext
from web.contract.operations import Operation
from web.exceptions import InternalError
from web.http import idempotency, preconditions
from web.responses import RawBody, Response, WithETag

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
        """The response of a handler that is a plain function."""
        try:
            with self._read_your_writes(operation, context):
                if operation.idempotent and b"idempotency-key" in context.headers:
                    return self._idempotency(context, lambda: self._call(operation, context))
                return self._call(operation, context)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as escape:
            raise RuntimeError("a handler tried to stop the process") from escape

    def _read_your_writes(self, operation: Operation, context: RequestContext) -> AbstractContextManager[None]:
        """A GET may read from the replica, unless its user has written within `replica_lag_seconds`."""
        replica = self.database.replica
        if replica is None or context.caller is None:
            return nullcontext()
        return (replica.writing_as if operation.writes else replica.reading_as)(context.caller.user_id)

    def _call(self, operation: Operation, context: RequestContext) -> Response:
        result = operation.handler(**handler_arguments(operation, context))
        return self.checked(operation, context, build_response(operation, context, result))

    def checked(self, operation: Operation, context: RequestContext, response: Response) -> Response:
        """The response. If it breaks the contract, that is logged, and raises InternalError if `enforce`."""
        error = operation.response_error(response.status, response.data)
        if error is not None:
            fields = {"operation": operation.id, "status": response.status, "error": error[:2000]}
            log.error("response breaks the contract", trace_id=context.request_id, **fields)
            if self.enforce:
                raise InternalError("The response did not match the contract; the trace id finds it in the log")
        return response


def build_response(operation: Operation, context: RequestContext, result: Any) -> Response:
    """The success response of a handler's result, or 304 if If-None-Match has its tag (RFC 9110 section 15.4.5)."""
    headers = {"content-type": operation.produces}
    if isinstance(result, WithETag):
        tag = headers["etag"] = f'"{result.tag}"'
        if operation.method == "GET" and preconditions.is_known(context.arguments.get("if_none_match"), tag):
            return Response(304, {"etag": tag}, b"")
        result = result.body
    if isinstance(result, RawBody):
        return Response(operation.success, headers, result.content)
    if operation.success == 201:
        headers["location"] = operation.location.expand(context.path_values, result)
    return Response(operation.success, headers, orjson.dumps(result), result)
