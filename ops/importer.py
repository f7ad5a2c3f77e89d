"""Imports a folder of audio files as tracks of an organization."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import category

import mutagen

from models import tracks
from ops.errors import CommandError

TITLE_TAGS = ("title", "TIT2", "Title")  # Vorbis comments, MP4 and MP3; ID3 in WAV and AIFF; APEv2 and ASF
TITLE_LENGTH = 512
MAX_MS = 2**31 - 1
COLUMNS = ("id", "title", "duration_ms", "creator_id", "created_at")


class Unreadable(Exception):
    """A file that cannot be imported; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Audio:
    title: str
    duration_ms: int
    digest: bytes


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


def read(path: Path) -> Audio:
    """Title, duration in milliseconds and digest of an audio file. Raises Unreadable."""
    try:
        audio = mutagen.File(path, easy=True)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    except Exception as error:
        # The tag readers can raise any exception for a damaged file, and none may stop the import.
        raise Unreadable(f"damaged: {_one_line(str(error)) or type(error).__name__}") from error
    if audio is None:
        raise Unreadable("not an audio file")
    return Audio(_title(audio, path), _duration(audio), _digest(path))


def import_file(organization_id: str, user_id: str, path: Path, report: Report) -> None:
    """Imports one file and adds the result to the report; the same bytes are imported once."""
    try:
        audio = read(path)
    except Unreadable as reason:
        report.skipped.append(Outcome(str(path), reason=str(reason)))
        return
    track = tracks.add(
        organization_id, user_id, title=audio.title, duration_ms=audio.duration_ms, source_digest=audio.digest
    )
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


def _title(audio: mutagen.FileType, path: Path) -> str:
    tags: Any = audio.tags
    for tag in TITLE_TAGS:
        values = tags.get(tag) if tags else None
        if text := _one_line(str(values[0])) if values else "":
            return text[:TITLE_LENGTH]
    return _one_line(path.stem)[:TITLE_LENGTH] or "Untitled"


def _one_line(text: str) -> str:
    valid = text.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if category(char) == "Cc" else char for char in valid).split())


def _duration(audio: mutagen.FileType) -> int:
    milliseconds = round(getattr(audio.info, "length", 0) * 1000)
    if not 0 < milliseconds <= MAX_MS:
        raise Unreadable("contains no audio, or no duration")
    return milliseconds


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
