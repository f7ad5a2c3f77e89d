"""Idempotency-Key: the work of one key is done once, and its first answer is given again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from models.exceptions import KeyInUse
from models.idempotency import Stored
from web.context import Exchange
from web.responses import Answer

Work = Callable[[Exchange], Answer]
Name = tuple[str, str, str]
Claimed = Callable[[Exchange, Work, Name], Answer]


class Answers(Protocol):
    """The public functions of models/idempotency.py, which says what they raise."""

    def claim(self, organization_id: str, user_id: str, key: str, fingerprint: bytes) -> Stored | None: ...

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


class Once:
    """Does the work of a key once. Claim, work and stored answer are one transaction: a crash leaves all or none."""

    def __init__(self, answers: Answers, transaction: Callable[[Claimed], Claimed]) -> None:
        self._answers = answers
        self._claimed = transaction(self._claim)
        self._running: set[Name] = set()
        self._guard = Lock()

    def __call__(self, exchange: Exchange, work: Work) -> Answer:
        """The answer of the work, or the one that the same key got before; an answer that is a failure stores nothing.

        Raises KeyInUse while a twin runs, KeyReused when the key came with another request.
        """
        caller, organization_id = exchange.caller, exchange.path_values.get("organization_id", "")
        if caller is None or organization_id not in caller.organizations:
            return work(exchange)
        with self._alone(
            (organization_id, caller.user_id, exchange.headers[b"idempotency-key"].decode("ascii"))
        ) as name:
            return self._claimed(exchange, work, name)

    @contextmanager
    def _alone(self, name: Name) -> Iterator[Name]:
        with self._guard:
            if name in self._running:
                raise KeyInUse("A request with this Idempotency-Key is still running")
            self._running.add(name)
        try:
            yield name
        finally:
            with self._guard:
                self._running.discard(name)

    def _claim(self, exchange: Exchange, work: Work, name: Name) -> Answer:
        fingerprint = _fingerprint(exchange)
        before = self._answers.claim(*name, fingerprint)
        if before is not None:
            headers = before.headers | {"idempotent-replayed": "true"}
            return Answer(before.status, headers, before.body)
        answer = work(exchange)
        self._answers.store(*name, fingerprint, answer.status, answer.headers, answer.body)
        return answer


def _fingerprint(exchange: Exchange) -> bytes:
    """What makes two requests the same: method, path, query and the bytes of the body."""
    parts = (exchange.method.encode(), exchange.path, exchange.scope["query_string"], exchange.body)
    return hashlib.sha256(b"\0".join(parts)).digest()
