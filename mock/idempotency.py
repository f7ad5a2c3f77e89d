"""Answers of idempotency keys in memory: what models/idempotency.py does, without a database."""

from __future__ import annotations

from mock.memory import Memory
from models.base import now
from models.exceptions import IdempotencyKeyReused
from models.idempotency import StoredResponse


class Answers:
    """The functions of models/idempotency.py that the edge calls; they are kept until the mock ends."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def claim(self, organization_id: str, user_id: str, key: str, fingerprint: bytes) -> StoredResponse | None:
        known, before = self._memory.answers.get((organization_id, user_id, key), (fingerprint, None))
        if known != fingerprint:
            raise IdempotencyKeyReused("This Idempotency-Key was used before, with another request")
        return before

    def store(
        self,
        organization_id: str,
        user_id: str,
        key: str,
        fingerprint: bytes,
        status: int,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        kept = StoredResponse(status, dict(headers), body, now())
        self._memory.answers[organization_id, user_id, key] = (fingerprint, kept)
