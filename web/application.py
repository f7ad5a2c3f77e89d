"""The outermost layer: every request enters here, and nothing leaves without passing here again."""

from __future__ import annotations

import time

import structlog

from models.exceptions import Failure, Unavailable
from web import connexion_adapters, response_headers
from web import exceptions as errors
from web.asgi import App, Message, Receive, Scope, Send
from web.context import RequestContext, current_request
from web.exceptions import InternalError
from web.http import cors, request_body, request_checks, server_timing
from web.ratelimit.limiter import RateLimiter
from web.responses import Response
from web.router import Router, allow
from web.security.authentication import Authenticator
from web.server.lifespan_state import RATE_LIMIT_HOOK

log = structlog.get_logger("web.application")


class Application:
    """An ASGI application around Connexion's: decides what is let in, and gives every answer its last form."""

    def __init__(
        self,
        app: App,
        router: Router,
        authenticator: Authenticator,
        limits: RateLimiter,
        origins: cors.CORSPolicy,
        *,
        most_in_flight: int,
        pages: str,
        enforce: bool,
        timed: bool,
    ) -> None:
        self.app = app
        self.router = router
        self.authenticator = authenticator
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
            await self._exchange(RequestContext(scope), receive, send)
        elif scope["type"] == "lifespan":
            scope.get("state", {})[RATE_LIMIT_HOOK] = self.limits.malformed_request_headers
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _exchange(self, context: RequestContext, receive: Receive, send: Send) -> None:
        current_request.set(context)
        self.in_flight += 1
        try:
            response = await self._answered(context, receive)
        except request_body.ClientDisconnected:
            return
        finally:
            self.in_flight -= 1
        response = self._checked(context, response)
        further = self.origins.headers(context.headers)
        if self.timed:
            further |= server_timing.headers(context, response)
        await response_headers.send_response(context, response, further, send)
        response_headers.record_request(context, response.status, time.perf_counter() - context.started)

    async def _answered(self, context: RequestContext, receive: Receive) -> Response:
        """The answer, whatever happens: the last resort for anything that escapes from below."""
        try:
            return await self._answer(context, receive)
        except request_body.ClientDisconnected:
            raise
        except Exception as failure:  # noqa: BLE001 - nothing may pass this line, and render logs what is a bug
            return errors.to_response(failure, context.request_id)

    async def _answer(self, context: RequestContext, receive: Receive) -> Response:
        too_often = self.limits.check_address(context)
        request_checks.check_headers(context)
        if too_often:
            raise self.limits.error(context)
        if context.path == self.pages or context.path.startswith(self._below_pages):
            return await self._page(context, receive)
        if context.method == "OPTIONS":
            return self._options(context)
        operation, context.path_values = self.router.find(context.method, context.path)
        context.found = context.operation = operation
        if not operation.public:
            await self._admit(context)
        request_checks.negotiate(context)
        if request_checks.may_have_body(context.headers):
            request_body.check_size(context)
            context.body = await request_body.read(context, receive)
        return await self._passed_on(context, receive)

    async def _admit(self, context: RequestContext) -> None:
        if self.in_flight > self.most_in_flight:
            raise Unavailable("Too many requests are in flight; try again soon")
        try:
            caller = context.caller = await self.authenticator.authenticate(context)
        except Failure as failure:
            if errors.error_catalog()[failure.code].status == 401:
                await self.limits.count_auth_failure(context)
            raise
        counted = self.limits.check_credential(context, caller)
        if counted is not None:
            await counted

    def _options(self, context: RequestContext) -> Response:
        operations, _ = self.router.methods(context.path)
        return Response(
            204, {"allow": allow(operations)} | self.origins.preflight(context.headers, allow(operations)), b""
        )

    async def _page(self, context: RequestContext, receive: Receive) -> Response:
        if context.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed("Pages are only read", {"allow": "GET, HEAD"})
        return await self._passed_on(context, receive)

    async def _passed_on(self, context: RequestContext, receive: Receive) -> Response:
        """What Connexion's stack answers: the compiled lane leaves its Answer on the exchange, others send messages."""
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        await self.app(context.scope, receive, collect)
        return context.answer or connexion_adapters.answer(sent)

    def _checked(self, context: RequestContext, response: Response) -> Response:
        """The answer, or a 500 in its place when its operation does not document it.

        The body of a success was held against the contract where it was made, before anything was committed.
        """
        operation = context.found
        if operation is None or (response.status < 400 and response.status in operation.responses):
            return response
        flaw = operation.response_error(response.status, response.data)
        if flaw is None:
            return response
        log.error("answer breaks the contract", operation=operation.id, flaw=flaw, trace_id=context.request_id)
        if not self.enforce:
            return response
        return errors.to_response(InternalError("The answer did not match the contract"), context.request_id)
