"""How the mock's answers come about: from a handler, or from the contract's examples."""

from __future__ import annotations

from typing import NoReturn

from mock.examples import Examples
from mock.preferences import Wishes
from web.context import Exchange
from web.dispatch import Runner
from web.http.idempotency import Once
from web.responses import Answer

WISHES = "preferences"


def unwritten() -> NoReturn:
    """Stands for the handler of an operation that the mock cannot do."""
    raise RuntimeError("The contract's example is given in the place of this handler.")


class Obliging(Runner):
    """Calls handlers as the service does; gives an example where one is asked for, and where there is no handler."""

    def __init__(self, once: Once, examples: Examples, *, enforce: bool) -> None:
        super().__init__(once, enforce=enforce)
        self.examples = examples

    def run(self, exchange: Exchange) -> Answer:
        """The answer that was asked for, else the handler's. Raises what the handler raises."""
        return self._wished(exchange) or super().run(exchange)

    async def run_on_loop(self, exchange: Exchange) -> Answer:
        """The answer that was asked for, else that of a handler that is a coroutine."""
        return self._wished(exchange) or await super().run_on_loop(exchange)

    def _call(self, exchange: Exchange) -> Answer:
        operation = exchange.operation
        if operation.handler is not unwritten:
            return super()._call(exchange)
        shown = self.examples.find(operation.id, operation.success, None)
        if shown is None:
            raise RuntimeError(f"The contract shows no success of {operation.id}.")
        return self.judged(exchange, shown.answer(exchange.request_id))

    def _wished(self, exchange: Exchange) -> Answer | None:
        """The example that Prefer names; None where it names none, or one that the contract does not show."""
        wishes: Wishes = exchange.scope[WISHES]
        if wishes.code is None and wishes.example is None:
            return None
        shown = self.examples.find(exchange.operation.id, wishes.code, wishes.example)
        if shown is None:
            return None
        wishes.applied += [f"code={wishes.code}"] if wishes.code is not None else []
        wishes.applied += [f"example={wishes.example}"] if wishes.example is not None else []
        return shown.answer(exchange.request_id)
