"""Stored responses of idempotency keys, kept for 24 hours, so that a repeated request takes effect once.

Decisions 19 and 20.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    bindparam,
    delete,
    func,
    insert,
    select,
)

from models.base import BIGINT, now
from models.db import connection
from models.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from models.retention import batch_end, delete_before
from models.schema import idempotency_keys


class StoredResponse(NamedTuple):
    """The response to the first request with a key."""

    status: int
    headers: dict[str, str]
    body: bytes
    created_at: datetime


_rows = idempotency_keys.c

FIND = select(_rows.fingerprint, _rows.status, _rows.headers, _rows.body, _rows.created_at).where(
    _rows.organization_id == bindparam("organization_id"),
    _rows.user_id == bindparam("user_id"),
    _rows.key == bindparam("key"),
)

INSERT = insert(idempotency_keys).values({column.name: bindparam(column.name) for column in _rows})

# One day may have millions of responses: they are deleted in batches, so that no writer waits long.
BATCH_END = batch_end(_rows.created_at)
DELETE_BATCH_ROWS = delete(idempotency_keys).where(_rows.created_at < bindparam("before"))

# PostgreSQL only: SQLite runs one write transaction at a time.
TRY_LOCK = select(func.pg_try_advisory_xact_lock(bindparam("number", type_=BIGINT)).label("held"))


def claim(organization_id: str, user_id: str, key: str, fingerprint: bytes) -> StoredResponse | None:
    """The stored response of the key, or None; then this transaction holds the key until it ends.

    Raises IdempotencyKeyInUse while a request with the key runs, IdempotencyKeyReused if the key was used with another
    request, and RuntimeError outside a transaction.
    """
    if not connection.in_transaction():
        raise RuntimeError("An idempotency key must be claimed inside the transaction that does the work.")
    _require_lock(organization_id, user_id, key)
    row = connection.fetch_one(FIND, organization_id=organization_id, user_id=user_id, key=key)
    if row is None:
        return None
    require_same_request(row.fingerprint, fingerprint)
    return StoredResponse(row.status, json.loads(row.headers), row.body, row.created_at)


def require_same_request(stored: bytes, fingerprint: bytes) -> None:
    """Raises IdempotencyKeyReused unless both fingerprints are of one request."""
    if not hmac.compare_digest(stored, fingerprint):
        raise IdempotencyKeyReused("This Idempotency-Key was used before, with another request")


def store(
    organization_id: str, user_id: str, key: str, fingerprint: bytes, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Stores the response for the key that this transaction has claimed."""
    connection.execute(
        INSERT,
        organization_id=organization_id,
        user_id=user_id,
        key=key,
        fingerprint=fingerprint,
        status=status,
        headers=json.dumps(headers),
        body=body,
        created_at=now(),
    )


def delete_expired(older_than_hours: float = 24) -> int:
    """Deletes the responses older than `older_than_hours`; returns their number. Raises Unavailable."""
    return delete_before(BATCH_END, DELETE_BATCH_ROWS, now() - timedelta(hours=older_than_hours))


def _require_lock(organization_id: str, user_id: str, key: str) -> None:
    if not connection.is_postgres():
        return
    digest = hashlib.sha256(f"{organization_id}\n{user_id}\n{key}".encode()).digest()
    number = int.from_bytes(digest[:8], signed=True)
    row = connection.fetch_one(TRY_LOCK, number=number)
    if row is None or not row.held:
        raise IdempotencyKeyInUse("A request with this Idempotency-Key is still running")
