"""The outermost ASGI application: every request enters here, and every response leaves through it.

Decision 2.
"""

from __future__ import annotations

import structlog

from models.db.database import Database
from web import response_headers
from web.asgi import App, Receive, Scope, Send
from web.context import RequestContext, current_request
from web.contract.views import Contract
from web.error_envelope import ErrorCatalog
from web.http import request_checks
from web.http.cors import CORSPolicy
from web.http.request_body import ClientDisconnected
from web.ratelimit.limiter import RateLimiter
from web.server import lifespan_state

log = structlog.get_logger("web.application")


class Application:
    """Creates the request context, counts the address quota, checks the headers, and handles every exception."""

    def __init__(
        self,
        app: App,
        contract: Contract,
        database: Database,
        limiter: RateLimiter,
        cors: CORSPolicy,
        errors: ErrorCatalog,
        *,
        max_concurrency: int,
        server_timing: bool,
    ) -> None:
        self.app = app
        self.contract = contract
        self.database = database
        self.limiter = limiter
        self.cors = cors
        self.errors = errors
        self.max_concurrency = max_concurrency
        self.server_timing = server_timing
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._handle(RequestContext(scope, self.contract), receive, send)
        elif scope["type"] == "lifespan":
            state = scope.get("state", {})
            state[lifespan_state.RATE_LIMIT_HOOK] = self.limiter.malformed_request_headers
            state[lifespan_state.ERROR_CATALOG] = self.errors
            await self.app(scope, receive, send)
            self.database.close()
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _handle(self, context: RequestContext, receive: Receive, send: Send) -> None:
        current_request.set(context)
        self.in_flight += 1
        try:
            await self._respond(context, receive, send)
        except ClientDisconnected:
            return
        except Exception as failure:
            if context.status is not None:
                raise  # the response has started: the server closes the connection
            response = self.errors.to_response(failure, context.request_id)
            await response_headers.send_response(context, response, send)
        finally:
            self.in_flight -= 1
        if context.status is not None:
            response_headers.record_request(context, context.status)

    async def _respond(self, context: RequestContext, receive: Receive, send: Send) -> None:
        context.overloaded = self.in_flight > self.max_concurrency
        context.send_timing = self.server_timing
        context.cors_headers = self.cors.headers(context.headers)
        exceeded = self.limiter.check_address(context)
        request_checks.check_headers(context)
        if exceeded is not None:
            raise self.limiter.error(*exceeded, context)
        await self.app(context.scope, receive, send)
