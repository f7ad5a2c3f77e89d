"""How the mock's answers come about: from a handler, or from the contract's examples."""

from __future__ import annotations

from typing import NoReturn

from mock.examples import Examples
from mock.preferences import Preferences
from web.context import RequestContext
from web.dispatch import Dispatcher
from web.http.idempotency import IdempotencyGuard
from web.responses import Response

PREFERENCES = "preferences"


def not_implemented() -> NoReturn:
    """Stands for the handler of an operation that the mock cannot do."""
    raise RuntimeError("The contract's example is given in the place of this handler.")


class MockDispatcher(Dispatcher):
    """Calls handlers as the service does; gives an example where one is asked for, and where there is no handler."""

    def __init__(self, once: IdempotencyGuard, examples: Examples, *, enforce: bool) -> None:
        super().__init__(once, enforce=enforce)
        self.examples = examples

    def call_sync(self, context: RequestContext) -> Response:
        """The answer that was asked for, else the handler's. Raises what the handler raises."""
        return self._wished(context) or super().call_sync(context)

    async def call_async(self, context: RequestContext) -> Response:
        """The answer that was asked for, else that of a handler that is a coroutine."""
        return self._wished(context) or await super().call_async(context)

    def _call(self, context: RequestContext) -> Response:
        operation = context.operation
        if operation.handler is not not_implemented:
            return super()._call(context)
        shown = self.examples.find(operation.id, operation.success, None)
        if shown is None:
            raise RuntimeError(f"The contract shows no success of {operation.id}.")
        return self.checked(context, shown.response(context.request_id))

    def _wished(self, context: RequestContext) -> Response | None:
        """The example that Prefer names; None where it names none, or one that the contract does not show."""
        wishes: Preferences = context.scope[PREFERENCES]
        if wishes.code is None and wishes.example is None:
            return None
        shown = self.examples.find(context.operation.id, wishes.code, wishes.example)
        if shown is None:
            return None
        wishes.applied += [f"code={wishes.code}"] if wishes.code is not None else []
        wishes.applied += [f"example={wishes.example}"] if wishes.example is not None else []
        return shown.response(context.request_id)
