"""A focus session in real time, thirty minutes on a quiet machine: every segment in time, once, and paid once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.progress import Progress

from models import focus_sessions
from models.base import now
from models.focus_sessions import AHEAD, SEGMENT_SECONDS, Session, Wish
from tools.endurance.report import Figure, at_most, exactly
from tools.testing import databases
from tools.testing.jobs import HOME, caller, rows
from tools.testing.studio_workers import Studio

MINUTES = 30
FIRST_SECONDS = 15.0
LOOK_SECONDS = 0.25
KILL_EVERY = 4
"""Every fourth segment loses its worker once."""


def play(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """A session with two workers, one of which is killed now and then; it is read as a player reads it."""
    with databases.migrated(kind, folder) as url, tempfile.TemporaryDirectory(dir=folder) as place:
        studio = Studio(url, Path(place))
        try:
            yield from _play(kind, studio, progress)
        finally:
            studio.close()


def _play(kind: str, studio: Studio, progress: Progress) -> Iterator[Figure]:
    studio.start(2)
    with studio.database.use():
        session = _start()
        ready = _watch(studio, session, progress)
        made = rows("focus_segments")
        spent = {row.spent_cents for row in rows("spend_windows")}
    total = session.total_segments
    margins = [_needed_at(session, index) - moment for index, moment in ready.items()]
    ahead = [index - moment / SEGMENT_SECONDS for index, moment in ready.items()]
    yield exactly(f"segments made, of {total}", kind, len(ready), total)
    yield at_most("start until the first segment is ready", kind, ready.get(0, float("inf")), FIRST_SECONDS, " s")
    yield exactly("segments that were ready after they were needed", kind, sum(one < 0 for one in margins[1:]), 0)
    yield at_most("segments ahead of the time", kind, max(ahead), AHEAD)
    yield exactly("rows of segments that were made", kind, sum(row.made_at is not None for row in made), total)
    yield exactly("hundredths that were spent", kind, sum(spent) // max(1, len(spent)), total * session.segment_cents)
    yield exactly("objects in the store", kind, len(studio.objects()), total)


def _start() -> Session:
    wish = Wish("focus", "studio", None, "medium", 40, MINUTES, None, bytes(32))
    return focus_sessions.start(caller("ida"), HOME, wish, 100)[0]


def _watch(studio: Studio, session: Session, progress: Progress) -> dict[int, float]:
    """The seconds from the start until each segment was ready; kills a worker before every fourth one."""
    task = progress.add_task("a session in real time", total=session.total_segments)
    ready: dict[int, float] = {}
    killed: set[int] = set()
    while len(ready) < session.total_segments and _age(session) < 60 * MINUTES:
        found = focus_sessions.get(caller("ida"), HOME, session.id)
        for index in range(len(ready), found.next_index):
            ready[index] = _age(session)
            progress.advance(task)
        if found.next_index % KILL_EVERY == KILL_EVERY - 1 and found.worker_id and found.next_index not in killed:
            killed.add(found.next_index)
            studio.kill(studio.processes[0])
            studio.start(1)
        time.sleep(LOOK_SECONDS)
    return ready


def _age(session: Session) -> float:
    return (now() - session.created_at).total_seconds()


def _needed_at(session: Session, index: int) -> float:
    """When a player that began with the first segment needs this one, at the earliest: all fades take eight seconds."""
    return float(index * (session.segment_seconds - 8))
