"""The outermost layer: every request enters here, and nothing leaves without passing here again."""

from __future__ import annotations

import time

import structlog

from models.exceptions import Failure, Unavailable
from web import connexion_adapters, response_headers
from web import exceptions as errors
from web.asgi import App, Message, Receive, Scope, Send
from web.context import Exchange, current
from web.exceptions import InternalError
from web.http import cors, request_body, request_checks, server_timing
from web.ratelimit.limiter import Limits
from web.responses import Answer
from web.router import Router, allow
from web.security.authentication import Door
from web.server.lifespan_state import UNHEARD

log = structlog.get_logger("web.application")


class Front:
    """An ASGI application around Connexion's: decides what is let in, and gives every answer its last form."""

    def __init__(
        self,
        app: App,
        router: Router,
        door: Door,
        limits: Limits,
        origins: cors.Origins,
        *,
        most_in_flight: int,
        pages: str,
        enforce: bool,
        timed: bool,
    ) -> None:
        self.app = app
        self.router = router
        self.door = door
        self.limits = limits
        self.origins = origins
        self.most_in_flight = most_in_flight
        self.pages = pages.encode()
        self._below_pages = self.pages + b"/"
        self.enforce = enforce
        self.timed = timed
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._exchange(Exchange(scope), receive, send)
        elif scope["type"] == "lifespan":
            scope.get("state", {})[UNHEARD] = self.limits.unheard
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _exchange(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        current.set(exchange)
        self.in_flight += 1
        try:
            answer = await self._answered(exchange, receive)
        except request_body.ClientGone:
            return
        finally:
            self.in_flight -= 1
        answer = self._checked(exchange, answer)
        further = self.origins.headers(exchange.headers)
        if self.timed:
            further |= server_timing.fields(exchange, answer)
        await response_headers.send(exchange, answer, further, send)
        response_headers.tell(exchange, answer.status, time.perf_counter() - exchange.started)

    async def _answered(self, exchange: Exchange, receive: Receive) -> Answer:
        """The answer, whatever happens: the last resort for anything that escapes from below."""
        try:
            return await self._answer(exchange, receive)
        except request_body.ClientGone:
            raise
        except Exception as failure:  # noqa: BLE001 - nothing may pass this line, and render logs what is a bug
            return errors.render(failure, exchange.request_id)

    async def _answer(self, exchange: Exchange, receive: Receive) -> Answer:
        too_often = self.limits.arrive(exchange)
        request_checks.check(exchange)
        if too_often:
            raise self.limits.refusal(exchange)
        if exchange.path == self.pages or exchange.path.startswith(self._below_pages):
            return await self._page(exchange, receive)
        if exchange.method == "OPTIONS":
            return self._options(exchange)
        operation, exchange.path_values = self.router.find(exchange.method, exchange.path)
        exchange.found = exchange.operation = operation
        if not operation.public:
            await self._admit(exchange)
        request_checks.check_content(exchange)
        if request_checks.may_have_body(exchange.headers):
            request_body.check_size(exchange)
            exchange.body = await request_body.read(exchange, receive)
        return await self._passed_on(exchange, receive)

    async def _admit(self, exchange: Exchange) -> None:
        if self.in_flight > self.most_in_flight:
            raise Unavailable("Too many requests are in flight; try again soon")
        try:
            caller = exchange.caller = await self.door.admit(exchange)
        except Failure as failure:
            if errors.catalogue()[failure.code].status == 401:
                await self.limits.refuse(exchange)
            raise
        counted = self.limits.admit(exchange, caller)
        if counted is not None:
            await counted

    def _options(self, exchange: Exchange) -> Answer:
        operations, _ = self.router.methods(exchange.path)
        return Answer(
            204, {"allow": allow(operations)} | self.origins.preflight(exchange.headers, allow(operations)), b""
        )

    async def _page(self, exchange: Exchange, receive: Receive) -> Answer:
        if exchange.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed("Pages are only read", {"allow": "GET, HEAD"})
        return await self._passed_on(exchange, receive)

    async def _passed_on(self, exchange: Exchange, receive: Receive) -> Answer:
        """What Connexion's stack answers: the compiled lane leaves its Answer on the exchange, others send messages."""
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        await self.app(exchange.scope, receive, collect)
        return exchange.answer or connexion_adapters.answer(sent)

    def _checked(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, or a 500 in its place when its operation does not document it.

        The body of a success was held against the contract where it was made, before anything was committed.
        """
        operation = exchange.found
        if operation is None or (answer.status < 400 and answer.status in operation.responses):
            return answer
        flaw = operation.flaw(answer.status, answer.data)
        if flaw is None:
            return answer
        log.error("answer breaks the contract", operation=operation.id, flaw=flaw, trace_id=exchange.request_id)
        if not self.enforce:
            return answer
        return errors.render(InternalError("The answer did not match the contract"), exchange.request_id)
