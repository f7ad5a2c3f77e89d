"""Idempotency-Key: the work of one key is done once, and its first answer is given again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from models.exceptions import IdempotencyKeyInUse
from models.idempotency import StoredResponse
from web.context import RequestContext
from web.responses import Response

Work = Callable[[RequestContext], Response]
Name = tuple[str, str, str]
Claimed = Callable[[RequestContext, Work, Name], Response]


class IdempotencyStore(Protocol):
    """The public functions of models/idempotency.py, which says what they raise."""

    def claim(self, organization_id: str, user_id: str, key: str, fingerprint: bytes) -> StoredResponse | None: ...

    def store(
        self,
        organization_id: str,
        user_id: str,
        key: str,
        fingerprint: bytes,
        status: int,
        headers: dict[str, str],
        body: bytes,
    ) -> None: ...


class IdempotencyGuard:
    """Does the work of a key once. Claim, work and stored answer are one transaction: a crash leaves all or none."""

    def __init__(self, answers: IdempotencyStore, transaction: Callable[[Claimed], Claimed]) -> None:
        self._answers = answers
        self._claimed = transaction(self._claim)
        self._running: set[Name] = set()
        self._guard = Lock()

    def __call__(self, context: RequestContext, work: Work) -> Response:
        """The answer of the work, or the one that the same key got before; an answer that is a failure stores nothing.

        Raises KeyInUse while a twin runs, KeyReused when the key came with another request.
        """
        caller, organization_id = context.caller, context.path_values.get("organization_id", "")
        if caller is None or organization_id not in caller.organizations:
            return work(context)
        with self._exclusive(
            (organization_id, caller.user_id, context.headers[b"idempotency-key"].decode("ascii"))
        ) as name:
            return self._claimed(context, work, name)

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

    def _claim(self, context: RequestContext, work: Work, name: Name) -> Response:
        fingerprint = _fingerprint(context)
        before = self._answers.claim(*name, fingerprint)
        if before is not None:
            headers = before.headers | {"idempotent-replayed": "true"}
            return Response(before.status, headers, before.body)
        response = work(context)
        self._answers.store(*name, fingerprint, response.status, response.headers, response.body)
        return response


def _fingerprint(context: RequestContext) -> bytes:
    """What makes two requests the same: method, path, query and the bytes of the body."""
    parts = (context.method.encode(), context.path, context.scope["query_string"], context.body)
    return hashlib.sha256(b"\0".join(parts)).digest()
