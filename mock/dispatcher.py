"""Dispatcher of the mock: the response is the handler's, or an example of the contract.

Decisions 4 and 55.
"""

from __future__ import annotations

from typing import NoReturn

from mock.examples import Examples
from mock.jobs import MockWorker
from mock.preferences import Preferences
from models.db.database import Database
from web.context import RequestContext
from web.contract.operations import Operation
from web.dispatch import Dispatcher
from web.responses import Response

PREFERENCES = "preferences"
STARTS = ("create_generation", "start_focus_session")


def not_implemented() -> NoReturn:
    """The handler of an operation that is in the contract and not implemented yet; never called."""
    raise RuntimeError("This operation has no handler; the mock returns the contract's example.")


class MockDispatcher(Dispatcher):
    """Calls handlers as the service does; returns an example if Prefer selects one, or if there is no handler."""

    def __init__(self, database: Database, examples: Examples, worker: MockWorker) -> None:
        super().__init__(database, enforce=True)
        self.examples = examples
        self.worker = worker

    async def dispatch(self, operation: Operation, context: RequestContext) -> Response:
        """The example that Prefer selects, else the handler's response, else the example of the success response."""
        preferred = self._preferred(operation, context)
        if preferred is not None:
            return preferred
        if operation.handler is not not_implemented:
            await self._let_time_pass(operation)
            return await super().dispatch(operation, context)
        example = self.examples.find(operation.id, operation.success, None)
        if example is None:
            raise RuntimeError(f"The contract has no example of a success response of {operation.id}.")
        return self.checked(operation, context, self.examples.response(example, context.request_id))

    async def _let_time_pass(self, operation: Operation) -> None:
        if not operation.public:
            await self.database.call(self.worker.advance, writes=True, user_id="")
        if operation.id in STARTS:
            self.worker.note_request()

    def _preferred(self, operation: Operation, context: RequestContext) -> Response | None:
        """The example that Prefer selects; None if it selects none or the contract has no such example."""
        preferences: Preferences = context.scope[PREFERENCES]
        if preferences.code is None and preferences.example is None:
            return None
        example = self.examples.find(operation.id, preferences.code, preferences.example)
        if example is None:
            return None
        preferences.applied += [f"code={preferences.code}"] if preferences.code is not None else []
        preferences.applied += [f"example={preferences.example}"] if preferences.example is not None else []
        return self.examples.response(example, context.request_id)
