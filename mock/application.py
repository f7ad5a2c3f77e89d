"""The mock: the application of the service with a dispatcher, data and two middlewares of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mock.accounts import PEPPER
from mock.database import open_database
from mock.dispatcher import MockDispatcher
from mock.examples import Examples
from mock.failures import Failures
from mock.generator import Generator
from mock.jobs import MockWorker
from mock.middleware import PreferMiddleware
from mock.options import MockOptions
from mock.reset import ResetMiddleware
from models.audio_store import AudioStore
from ops.table_snapshot import TableSnapshot
from studio.engines.catalog import Capabilities
from web.application import Application
from web.asgi import Receive, Scope, Send
from web.dispatch import Dispatcher
from web.error_envelope import ErrorCatalog

Build = Callable[[Dispatcher, bytes, AudioStore], Application]
"""Builds the application from a dispatcher, the key pepper and the audio store."""


class Mock:
    """The ASGI application of the mock; `contents` is what its database has at the start. Raises CommandError."""

    def __init__(
        self, document: dict[str, Any], engines: Mapping[str, Capabilities], options: MockOptions, build: Build
    ) -> None:
        store = AudioStore("memory:///")
        self._database, self.contents = open_database(store, options.data, document)
        with self._database.use():
            self._snapshot = TableSnapshot()
        self._worker, self._failures = MockWorker(store, engines), Failures(options.fail_one_in, options.seed)
        dispatcher = MockDispatcher(
            self._database,
            Examples(document, ErrorCatalog(document)),
            Generator(document, options.seed),
            self._failures,
            self._worker,
        )
        self._application = build(dispatcher, PEPPER, store)
        self._app = ResetMiddleware(PreferMiddleware(self._application), self._application, self.reset)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def reset(self) -> None:
        """Returns to the state of the start: rows, jobs, quotas and the sequence of failures."""
        if self._application.sharing is not None:
            await self._application.sharing.resolves.flush()
        await self._database.call(self._restore, writes=True)
        self._application.limiter.reset()
        self._failures.reset()

    def _restore(self) -> None:
        self._snapshot.restore()
        self._worker.reset()
