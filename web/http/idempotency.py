"""Idempotency-Key: a request is executed once per key, and its first response is replayed for repeats.

Decisions 19 and 20.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import orjson

from models import idempotency
from models.db import connection
from models.exceptions import IdempotencyKeyInUse
from web.context import RequestContext
from web.responses import Response

NO_ORGANIZATION = ""
Work = Callable[[], Response]
Name = tuple[str, str, str]


class IdempotencyGuard:
    """Executes the work of a key once. Claim, work and stored response are one transaction: a crash leaves all or none.

    The set of running keys refuses a concurrent request of this process; the database refuses those of others.
    """

    def __init__(self) -> None:
        self._running: set[Name] = set()
        self._guard = Lock()

    def __call__(self, context: RequestContext, work: Work) -> Response:
        """The response of the work, or the stored response of the key. A failure stores nothing.

        A key belongs to the user, and to the organization if the path has one. Raises IdempotencyKeyInUse while a
        request with the key runs, IdempotencyKeyReused if the key was used with another request.
        """
        caller, organization_id = context.caller, context.path_values.get("organization_id", NO_ORGANIZATION)
        if caller is None or organization_id not in caller.organizations | {NO_ORGANIZATION}:
            return work()
        key = context.headers[b"idempotency-key"].decode("ascii")
        with self._exclusive((organization_id, caller.user_id, key)) as name:
            return _claimed(context, work, name)

    @contextmanager
    def _exclusive(self, name: Name) -> Iterator[Name]:
        with self._guard:
            if name in self._running:
                raise IdempotencyKeyInUse("A request with this Idempotency-Key is still running")
            self._running.add(name)
        try:
            yield name
        finally:
            with self._guard:
                self._running.discard(name)


@connection.transaction
def _claimed(context: RequestContext, work: Work, name: Name) -> Response:
    fingerprint = _fingerprint(context)
    stored = idempotency.claim(*name, fingerprint)
    if stored is not None:
        headers = stored.headers | {"idempotent-replayed": "true"}
        return Response(stored.status, headers, stored.body)
    response = work()
    if response.pieces is not None:
        raise TypeError("A streamed response cannot be stored under an Idempotency-Key.")
    idempotency.store(*name, fingerprint, response.status, response.headers, response.body)
    return response


def body_fingerprint(body: Mapping[str, object], without: str = "") -> bytes:
    """SHA-256 of a JSON body, without one field if it is named; for an operation that does its own idempotency."""
    fields = {name: value for name, value in body.items() if name != without}
    return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()


def _fingerprint(context: RequestContext) -> bytes:
    """SHA-256 of method, path, query and body: two requests with the same fingerprint are the same request."""
    parts = (context.method.encode(), context.path, context.scope["query_string"], context.body)
    return hashlib.sha256(b"\0".join(parts)).digest()
