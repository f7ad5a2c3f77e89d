"""The handler's turn: called once per request, its answer held against the contract before anything is committed."""

from __future__ import annotations

import structlog

from models.db import connection
from web.context import Exchange
from web.exceptions import InternalError
from web.http.idempotency import Once
from web.responses import Answer

log = structlog.get_logger("web.dispatch")


class Runner:
    """Calls handlers. `enforce`: an answer that breaks the contract becomes a 500; else it is only logged."""

    def __init__(self, once: Once, *, enforce: bool) -> None:
        self.once = once
        self.enforce = enforce

    def run(self, exchange: Exchange) -> Answer:
        """The answer of a plain handler; belongs in a worker thread. Raises what the handler raises."""
        try:
            copy = connection.copy()
            if copy is None or exchange.caller is None:
                return self._turn(exchange)
            # A GET may read the copy, unless its caller has just written.
            place = copy.read_by if exchange.operation.method == "GET" else copy.written_by
            with place(exchange.caller.user_id):
                return self._turn(exchange)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as escape:
            raise RuntimeError("a handler tried to stop the process") from escape

    async def run_on_loop(self, exchange: Exchange) -> Answer:
        """The answer of a handler that is a coroutine; it must not block."""
        operation = exchange.operation
        result = await operation.handler(**operation.arguments(exchange))
        return self.judged(exchange, operation.answer(exchange, result))

    def _turn(self, exchange: Exchange) -> Answer:
        if exchange.operation.idempotent and b"idempotency-key" in exchange.headers:
            return self.once(exchange, self._call)
        return self._call(exchange)

    def _call(self, exchange: Exchange) -> Answer:
        operation = exchange.operation
        result = operation.handler(**operation.arguments(exchange))
        return self.judged(exchange, operation.answer(exchange, result))

    def judged(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, if it is what the contract documents. Raises InternalError when it is not and must be."""
        operation = exchange.operation
        flaw = operation.flaw(answer.status, answer.data)
        if flaw is not None:
            found = {"operation": operation.id, "status": answer.status, "flaw": flaw[:2000]}
            log.error("answer breaks the contract", trace_id=exchange.request_id, **found)
            if self.enforce:
                raise InternalError("The answer did not match the contract; the trace id finds it in the log")
        return answer
