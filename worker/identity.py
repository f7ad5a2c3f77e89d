"""The identity of a worker: a folder of its own, held by a lock as long as the process lives.

A worker that was killed leaves its folder to the next one on this machine, which so has its id and may take back its
job at once: the lock proves that the other is dead. A stopped process keeps its lock, and the next worker gets another
id.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOST = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """The id of a worker, different on every machine, and a folder for its temporary files, empty at the start."""

    id: str
    spool: Path


@contextmanager
def held(folder: Path) -> Iterator[Identity]:
    """The first identity below `folder` that no living process has. Raises OSError if the folder cannot be written."""
    for number in range(MOST):
        own = folder / str(number)
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _is_locked(lock):
                yield Identity(_id(lock), _emptied(own / "spool"))
                return
        finally:
            os.close(lock)
    raise OSError(f"{MOST} workers run in {folder}")


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _id(lock: int) -> str:
    """The id in the file; a new one if there is none yet."""
    known = os.pread(lock, 64, 0).decode("ascii", "replace")
    if known.startswith("worker_") and len(known) == 23:
        return known
    new = f"worker_{secrets.token_hex(8)}"
    os.pwrite(lock, new.encode(), 0)
    os.fsync(lock)
    return new


def _emptied(spool: Path) -> Path:
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(mode=0o700, exist_ok=True)
    return spool
