"""The handler's turn: called once per request, its answer held against the contract before anything is committed."""

from __future__ import annotations

import structlog

from models.db import connection
from web.context import RequestContext
from web.exceptions import InternalError
from web.http.idempotency import IdempotencyGuard
from web.responses import Response

log = structlog.get_logger("web.dispatch")


class Dispatcher:
    """Calls handlers. `enforce`: an answer that breaks the contract becomes a 500; else it is only logged."""

    def __init__(self, once: IdempotencyGuard, *, enforce: bool) -> None:
        self.once = once
        self.enforce = enforce

    def call_sync(self, context: RequestContext) -> Response:
        """The answer of a plain handler; belongs in a worker thread. Raises what the handler raises."""
        try:
            copy = connection.get_replica()
            if copy is None or context.caller is None:
                return self._with_idempotency(context)
            # A GET may read the copy, unless its caller has just written.
            place = copy.reading_as if context.operation.method == "GET" else copy.writing_as
            with place(context.caller.user_id):
                return self._with_idempotency(context)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as escape:
            raise RuntimeError("a handler tried to stop the process") from escape

    async def call_async(self, context: RequestContext) -> Response:
        """The answer of a handler that is a coroutine; it must not block."""
        operation = context.operation
        result = await operation.handler(**operation.arguments(context))
        return self.checked(context, operation.response(context, result))

    def _with_idempotency(self, context: RequestContext) -> Response:
        if context.operation.idempotent and b"idempotency-key" in context.headers:
            return self.once(context, self._call)
        return self._call(context)

    def _call(self, context: RequestContext) -> Response:
        operation = context.operation
        result = operation.handler(**operation.arguments(context))
        return self.checked(context, operation.response(context, result))

    def checked(self, context: RequestContext, response: Response) -> Response:
        """The answer, if it is what the contract documents. Raises InternalError when it is not and must be."""
        operation = context.operation
        flaw = operation.response_error(response.status, response.data)
        if flaw is not None:
            found = {"operation": operation.id, "status": response.status, "flaw": flaw[:2000]}
            log.error("answer breaks the contract", trace_id=context.request_id, **found)
            if self.enforce:
                raise InternalError("The answer did not match the contract; the trace id finds it in the log")
        return response
