"""The compiled lane: a Connexion middleware that answers from the compiled contract, without the rest of the stack."""

from __future__ import annotations

from web import connexion_adapters, exceptions
from web.asgi import App, Receive, Scope, Send
from web.context import RequestContext, current_request
from web.dispatch import Dispatcher
from web.threadpool import ThreadPool


class OperationMiddleware:
    """Does what Connexion's routing, security, validation and Flask would do, with the same compiled operation.

    With `everything` off it takes only the handlers that are coroutines: Flask would run them on a loop of its own.
    """

    def __init__(self, app: App, *, runner: Dispatcher, workers: ThreadPool, everything: bool) -> None:
        self.app = app
        self.runner = runner
        self.workers = workers
        self.everything = everything

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = current_request.get()
        if context.found is not None and (self.everything or context.found.is_async):
            await self._take(context)
        else:
            await self.app(connexion_adapters.scope(context), connexion_adapters.content(context), send)

    async def _take(self, context: RequestContext) -> None:
        operation = context.operation
        try:
            operation.read(context)
            if operation.is_async:
                context.answer = await self.runner.call_async(context)
            else:
                context.answer = await self.workers.run_on_loop_or_thread(
                    self.runner.call_sync, context, writes=operation.writes
                )
        except Exception as failure:  # noqa: BLE001 - render tells failures from bugs, and logs the bugs
            context.answer = exceptions.to_response(failure, context.request_id)
