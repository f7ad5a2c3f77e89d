"""Dispatcher of the mock: the response is the handler's, an example of the contract, or generated from a schema.

Decisions 4, 55 and 91.
"""

from __future__ import annotations

from typing import NoReturn

from mock.examples import Examples
from mock.failures import Failures
from mock.generator import Generator
from mock.jobs import MockWorker
from mock.preferences import Preferences
from models.db.database import Database
from web.context import RequestContext
from web.contract.operations import Operation
from web.dispatch import Dispatcher
from web.exceptions import Invalid, Violation
from web.http import server_timing
from web.responses import Response

PREFERENCES = "preferences"
STARTS = ("create_generation", "start_focus_session")


def not_implemented() -> NoReturn:
    """The handler of an operation that is in the contract and not implemented yet; never called."""
    raise RuntimeError("This operation has no handler; the mock returns the contract's example.")


class MockDispatcher(Dispatcher):
    """Calls handlers as the service does, unless Prefer or the failures ask for another response."""

    def __init__(
        self, database: Database, examples: Examples, generator: Generator, failures: Failures, worker: MockWorker
    ) -> None:
        super().__init__(database, enforce=True)
        self.examples = examples
        self.generator = generator
        self.failures = failures
        self.worker = worker

    async def dispatch(self, operation: Operation, context: RequestContext) -> Response:
        """What Prefer asks for, else an error if it is the turn of one, else the handler's response.

        An operation without a handler gives the example of its success response. Raises Invalid if the client asks for
        `handling=strict` and a preference cannot be applied.
        """
        response = self._preferred(operation, context) or self._failure(operation, context)
        if response is not None:
            return response
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

    def _failure(self, operation: Operation, context: RequestContext) -> Response | None:
        status = self.failures.next_status(operation)
        example = None if status is None else self.examples.find(operation.id, status, None)
        return None if example is None else self.examples.response(example, context.request_id)

    def _preferred(self, operation: Operation, context: RequestContext) -> Response | None:
        """The response that Prefer selects; None if it selects none or there is none."""
        preferences: Preferences = context.scope[PREFERENCES]
        response = self._generated(operation, context, preferences) or self._example(operation, context, preferences)
        if context.send_timing:
            preferences.ignored.pop(server_timing.PREFERENCE.decode(), None)
        if preferences.strict and preferences.ignored:
            found = preferences.ignored.items()
            raise Invalid(Violation("header/Prefer", "unsupported", f"{name[:64]} {why}") for name, why in found)
        return response

    def _generated(self, operation: Operation, context: RequestContext, preferences: Preferences) -> Response | None:
        if not preferences.dynamic:
            return None
        is_success = preferences.code in (None, operation.success) and preferences.example is None
        response = self.generator.response(operation, context) if is_success else None
        if response is None:
            preferences.ignored["dynamic"] = "is for success responses in JSON, without an example"
        else:
            preferences.applied.append("dynamic=true")
            preferences.applied += [] if preferences.code is None else [f"code={preferences.code}"]
        return response

    def _example(self, operation: Operation, context: RequestContext, preferences: Preferences) -> Response | None:
        wanted = {"code": preferences.code, "example": preferences.example}
        named = {name: value for name, value in wanted.items() if value is not None}
        if not named:
            return None
        example = self.examples.find(operation.id, preferences.code, preferences.example)
        if example is None:
            preferences.ignored |= dict.fromkeys(named, "names no documented response of this operation")
            return None
        preferences.applied += [f"{name}={value}" for name, value in named.items()]
        return self.examples.response(example, context.request_id)
