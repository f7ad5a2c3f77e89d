"""The processes that make music, each with a heartbeat."""

from datetime import datetime

from sqlalchemy import (
    bindparam,
    delete,
    select,
    update,
)

from models.base import now
from models.db import connection
from models.generation_tables import workers
from models.upsert import insert_or_ignore

BEAT = update(workers).where(workers.c.id == bindparam("worker")).values(heartbeat_at=bindparam("now"))
BEGIN = insert_or_ignore(workers).values(
    id=bindparam("worker"), started_at=bindparam("now"), heartbeat_at=bindparam("now")
)
END = delete(workers).where(workers.c.id == bindparam("worker"))
FIND = select(workers.c.heartbeat_at).where(workers.c.id == bindparam("worker"))


def beat(worker_id: str) -> None:
    """Writes a heartbeat; the first one makes the row."""
    if not connection.execute(BEAT, worker=worker_id, now=now()):
        connection.execute(BEGIN, worker=worker_id, now=now())


def heartbeat(worker_id: str) -> datetime | None:
    """The last heartbeat; None for a worker without a row."""
    row = connection.fetch_one(FIND, worker=worker_id)
    return None if row is None else row.heartbeat_at


def remove(worker_id: str) -> None:
    """Removes a worker that has ended."""
    connection.execute(END, worker=worker_id)
