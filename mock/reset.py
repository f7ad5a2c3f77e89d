"""ASGI middleware of the mock: `POST /_mock/reset` returns it to the state of its start.

The path is in no contract: the service has no such operation. Decision 91.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from web.application import Application
from web.asgi import App, Receive, Scope, Send
from web.context import RequestContext
from web.exceptions import MethodNotAllowed
from web.response_headers import send_response
from web.responses import Response

PATH = b"/_mock/reset"
ALLOW = "OPTIONS, POST"
DETAIL = "The mock has the data of its start."


class ResetMiddleware:
    """Answers the requests for the reset; all others go to the application."""

    def __init__(self, app: App, application: Application, reset: Callable[[], Awaitable[None]]) -> None:
        self.app = app
        self.application = application
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].encode() != PATH:
            await self.app(scope, receive, send)
            return
        application = self.application
        context = RequestContext(scope, application.contract, application.default_headers)
        context.cors_headers = application.cors.headers(context.headers)
        await send_response(context, await self._respond(context), send)

    async def _respond(self, context: RequestContext) -> Response:
        if context.method == "OPTIONS":
            return Response(204, {"allow": ALLOW} | self.application.cors.preflight(context.headers, ALLOW), b"")
        if context.method != "POST":
            error = MethodNotAllowed("The mock is reset by POST", {"allow": ALLOW})
            return self.application.errors.to_response(error, context.request_id)
        await self.reset()
        body = {"success": True, "detail": DETAIL}
        return Response(200, {"content-type": "application/json"}, orjson.dumps(body))
