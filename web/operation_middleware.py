"""The compiled lane: a Connexion middleware that answers from the compiled contract, without the rest of the stack."""

from __future__ import annotations

from web import connexion_adapters, exceptions
from web.asgi import App, Receive, Scope, Send
from web.context import Exchange, current
from web.dispatch import Runner
from web.threadpool import Workers


class Lane:
    """Does what Connexion's routing, security, validation and Flask would do, with the same compiled operation.

    With `everything` off it takes only the handlers that are coroutines: Flask would run them on a loop of its own.
    """

    def __init__(self, app: App, *, runner: Runner, workers: Workers, everything: bool) -> None:
        self.app = app
        self.runner = runner
        self.workers = workers
        self.everything = everything

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = current.get()
        if exchange.found is not None and (self.everything or exchange.found.on_loop):
            await self._take(exchange)
        else:
            await self.app(connexion_adapters.scope(exchange), connexion_adapters.content(exchange), send)

    async def _take(self, exchange: Exchange) -> None:
        operation = exchange.operation
        try:
            operation.read(exchange)
            if operation.on_loop:
                exchange.answer = await self.runner.run_on_loop(exchange)
            else:
                exchange.answer = await self.workers.call(self.runner.run, exchange, writes=operation.writes)
        except Exception as failure:  # noqa: BLE001 - render tells failures from bugs, and logs the bugs
            exchange.answer = exceptions.render(failure, exchange.request_id)
