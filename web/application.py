"""The outermost ASGI application: every request enters here, and every response leaves through it.

Decision 2.
"""

from __future__ import annotations

import asyncio

import structlog

from models import focus_sessions
from models.db.database import Database
from models.exceptions import Unavailable
from models.focus_sessions import SEEN_SECONDS, Seen
from web import response_headers
from web.asgi import App, Message, Receive, Scope, Send
from web.concurrency import ConcurrencyLimiter
from web.context import RequestContext, current_request
from web.contract.views import Contract
from web.default_headers import DefaultHeaders
from web.error_envelope import ErrorCatalog
from web.generation_settings import GenerationSettings
from web.http import request_checks
from web.http.cors import CORSPolicy
from web.http.request_body import ClientDisconnected
from web.playback import Playback
from web.ratelimit.limiter import RateLimiter
from web.server import lifespan_state
from web.server.memory_limiter import MemoryLimiter
from web.sharing import Sharing
from web.usage import UsageRecorder

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
        concurrency: ConcurrencyLimiter,
        playback: Playback | None,
        sharing: Sharing | None,
        memory: MemoryLimiter,
        generation: GenerationSettings,
        server_timing: bool,
    ) -> None:
        self.app = app
        self.contract = contract
        self.default_headers = DefaultHeaders(contract.document)
        self.database = database
        self.limiter = limiter
        self.cors = cors
        self.errors = errors
        self.concurrency = concurrency
        self.playback = playback
        self.sharing = sharing
        self.memory = memory
        self.generation = generation
        self.server_timing = server_timing
        self._seen = UsageRecorder[Seen](database, "focus sessions", focus_sessions.note_seen, SEEN_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._handle(RequestContext(scope, self.contract, self.default_headers), receive, send)
        elif scope["type"] == "lifespan":
            state = scope.get("state", {})
            state[lifespan_state.RATE_LIMIT_HOOK] = self.limiter.malformed_request_headers
            state[lifespan_state.ERROR_CATALOG] = self.errors
            state[lifespan_state.DEFAULT_HEADERS] = self.default_headers
            state[lifespan_state.MEMORY_LIMITER] = self.memory
            await self.app(scope, receive, self._after_last_counts(send))
            self.database.close()
        else:
            await send({"type": "websocket.close", "code": 1003})

    def _after_last_counts(self, send: Send) -> Send:
        """A `send` that writes what was counted before it says that the shutdown is complete."""

        async def flush_and_send(message: Message) -> None:
            if self.sharing is not None and message["type"].startswith("lifespan.shutdown"):
                await self.sharing.resolves.flush()
            await send(message)

        return flush_and_send

    async def _handle(self, context: RequestContext, receive: Receive, send: Send) -> None:
        current_request.set(context)
        context.send_timing = self.server_timing
        context.generation = self.generation
        context.playback = self.playback
        context.sharing = self.sharing
        try:
            context.cors_headers = self.cors.headers(context.headers)
            exceeded = self.limiter.check_address(context)
            request_checks.check_headers(context)
            if exceeded is not None:
                raise self.limiter.error(*exceeded, context)
            await self.app(context.scope, receive, send)
        except ClientDisconnected:
            return
        except asyncio.CancelledError:  # the server cancels what is left at the end of a graceful shutdown
            await self._send_error(context, Unavailable("The server is shutting down"), send)
        except Exception as failure:
            if context.status is not None:
                raise  # the response has started: the server closes the connection
            await self._send_error(context, failure, send)
        if context.status is not None:
            response_headers.record_request(context, context.status)
        if context.seen is not None or context.resolved is not None:
            self._record_use(context)

    def _record_use(self, context: RequestContext) -> None:
        """Counts what is written later: the sign of life of a focus session, the resolve of a share link."""
        if context.seen is not None:
            self._seen.record(context.seen)
        if self.sharing is not None:
            self.sharing.record(context)

    async def _send_error(self, context: RequestContext, failure: Exception, send: Send) -> None:
        if context.status is None:
            response = self.errors.to_response(failure, context.request_id)
            await response_headers.send_response(context, response, send)
