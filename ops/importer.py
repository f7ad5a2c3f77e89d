"""Imports a folder of audio files as tracks of an organization."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import tracks
from ops.errors import CommandError
from ops.tag_reader import TagReader, Unreadable

COLUMNS = ("id", "title", "duration_ms", "creator_id", "created_at")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one file: the id of its new track, or the reason why there is none."""

    file: str
    track_id: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Report:
    added: list[Outcome] = field(default_factory=list)
    already_there: list[Outcome] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """All files below `folder`, sorted. Raises CommandError if it is not a folder."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder: name a folder of audio files.")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def import_file(organization_id: str, user_id: str, path: Path, reader: TagReader, report: Report) -> None:
    """Imports one file and adds the result to the report; the same bytes are imported once."""
    try:
        tags, digest = reader.read(path), _digest(path)
    except Unreadable as reason:
        report.skipped.append(Outcome(str(path), reason=str(reason)))
        return
    track = tracks.add(organization_id, user_id, title=tags.title, duration_ms=tags.duration_ms, source_digest=digest)
    if track is None:
        report.already_there.append(Outcome(str(path), reason="the same audio is a track already"))
    else:
        report.added.append(Outcome(str(path), track_id=track.id))


def lines(report: Report) -> list[str]:
    """The report for people: skipped files with reasons, then the numbers."""
    skipped = [f"skipped {outcome.file}: {outcome.reason}" for outcome in report.skipped]
    counts = f"{len(report.added)} added, {len(report.already_there)} already there, {len(report.skipped)} skipped"
    return [*skipped, counts]


def listed(organization_id: str) -> list[dict[str, Any]]:
    """All tracks of the organization, oldest first."""
    return [{column: getattr(track, column) for column in COLUMNS} for track in tracks.list_all(organization_id)]


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
