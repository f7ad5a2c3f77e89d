"""Idempotency-Key: the work of one key is done once, and its first answer is given again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from edge.answers import Answer
from edge.exchange import Exchange
from models import database
from models import idempotency as stored
from models.failures import KeyInUse

Work = Callable[[Exchange], Answer]
Name = tuple[str, str, str]
_running: set[Name] = set()
_guard = Lock()


def once(exchange: Exchange, work: Work) -> Answer:
    """The answer of the work, or the one that the same key got before.

    Claim, work and stored answer are one transaction, so a crash leaves all of them or none; an answer that is a
    failure stores nothing. Raises KeyInUse while a twin runs, KeyReused when the key came with another request.
    """
    caller, organization_id = exchange.caller, exchange.path_values.get("organization_id", "")
    if caller is None or organization_id not in caller.organizations:
        return work(exchange)
    with _alone((organization_id, caller.user_id, exchange.headers[b"idempotency-key"].decode("ascii"))) as name:
        return _claimed(exchange, work, name)


@contextmanager
def _alone(name: Name) -> Iterator[Name]:
    with _guard:
        if name in _running:
            raise KeyInUse("A request with this Idempotency-Key is still running")
        _running.add(name)
    try:
        yield name
    finally:
        with _guard:
            _running.discard(name)


@database.transaction
def _claimed(exchange: Exchange, work: Work, name: Name) -> Answer:
    fingerprint = _fingerprint(exchange)
    before = stored.claim(*name, fingerprint)
    if before is not None:
        headers = before.headers | {"idempotent-replayed": "true"}
        return Answer(before.status, headers, before.body)
    answer = work(exchange)
    stored.store(*name, fingerprint, answer.status, answer.headers, answer.body)
    return answer


def _fingerprint(exchange: Exchange) -> bytes:
    """What makes two requests the same: method, path, query and the bytes of the body."""
    parts = (exchange.method.encode(), exchange.path, exchange.scope["query_string"], exchange.body)
    return hashlib.sha256(b"\0".join(parts)).digest()
