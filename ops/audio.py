"""What operators do with audio: compare it with the rows, delete what no row names, and copy it for a backup."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, NamedTuple

from models import focus_audio, track_audio
from models.audio_store import AudioStore, StoredObject
from models.base import now
from models.exceptions import NoAudio
from models.track_audio import MIB, TrackAudio
from ops.backup import Progress
from ops.errors import CommandError

BATCH = 500
SHOWN = 5  # tracks that a sentence or a list names
MAX_DELETED = 10_000  # in one clean-up, so that their names need little memory
# What AudioStore writes; nothing else in the folder or bucket is ever touched.
_OWN = re.compile(
    r"(?:(org_[A-Za-z0-9]{1,32})/(?:mtrack_[0-9a-f]{12}|mfocus_[0-9a-f]{12}-[0-9]{1,3})-|probe-)"
    r"[0-9a-f]{8}(?:\.[a-z0-9]{3,4})?(?:\.part)?"
)


class Missing(NamedTuple):
    """Tracks whose audio the store does not have, or not as long as it was: their number, and the ids of the first."""

    total: int
    track_ids: list[str]


class Check(NamedTuple):
    """Tracks with audio, those whose audio is missing, and objects that are old enough and that no track names."""

    tracks: int
    missing: Missing
    unnamed: int
    unnamed_bytes: int


class Cleaned(NamedTuple):
    """Objects that were deleted, their bytes, and those that were kept because they are most of the store."""

    deleted: int
    deleted_bytes: int
    kept: int


class Copied(NamedTuple):
    """Objects and bytes that were copied, objects that were there already, and tracks without audio in the source."""

    copied: int
    copied_bytes: int
    already_there: int
    missing: Missing


def open_store(url: str) -> AudioStore:
    """The audio store at a URL. Raises AudioUnavailable, and CommandError for what is no such URL."""
    try:
        return AudioStore(url)
    except ValueError as error:
        raise CommandError(str(error)) from error


def open_writable(url: str) -> AudioStore:
    """The audio store at a URL, which takes and gives back a probe. Raises AudioUnavailable, CommandError."""
    store = open_store(url)
    store.require_writable()
    return store


def check(store: AudioStore, orphan_hours: float) -> Check:
    """Compares the store with the tracks of the current database. Raises Unavailable."""
    total = sum(1 for _ in track_audio.list_live())
    unnamed, size = 0, 0
    for found in _unnamed(_own_objects(store), _age(orphan_hours)):
        unnamed, size = unnamed + 1, size + found.size
    return Check(total, counted(find_missing(store)), unnamed, size)


def find_missing(store: AudioStore) -> Iterator[TrackAudio]:
    """The audio that a track names and the store does not have, or not in its size. Raises Unavailable."""
    for organization_id, group in groupby(track_audio.list_live(), key=lambda row: row.organization_id):
        sizes = {found.name: found.size for found in store.list(organization_id)}
        for row in group:
            # A track may be newer than the list.
            if sizes.get(row.audio.name) != row.audio.size != store.size(row.audio.name):
                yield row


def clean(store: AudioStore, orphan_hours: float, *, everything: bool = False) -> Cleaned:
    """Deletes what no track of the current database names and is older than `orphan_hours`. Raises Unavailable.

    If that were more than half of the store, nothing is deleted unless `everything`: then the store is perhaps that of
    another database.
    """
    total, own = 0, list[StoredObject]()

    def all_own() -> Iterator[StoredObject]:
        nonlocal total
        for found in _own_objects(store):
            total += 1
            yield found

    for found in _unnamed(all_own(), _age(orphan_hours)):
        if len(own) < MAX_DELETED:
            own.append(found)
    if len(own) * 2 > total and not everything:
        return Cleaned(0, 0, len(own))
    for found in own:
        store.delete(found.name)
    return Cleaned(len(own), sum(found.size for found in own), 0)


def remove_deleted(store: AudioStore, url_seconds: int) -> int:
    """Removes the audio of deleted tracks that no URL plays any more; returns their number. Raises Unavailable.

    The row forgets it first: if that is interrupted, the object is one that no track names.
    """
    removed = 0
    for name in track_audio.forget_deleted(url_seconds):
        store.delete(name)
        removed += 1
    return removed


def remove_all(store: AudioStore, organization_id: str) -> tuple[int, int]:
    """Removes the audio of an organization whose rows are deleted; returns files and bytes. Raises Unavailable."""
    files = size = 0
    for found in list(_own_objects(store, organization_id)):
        store.delete(found.name)
        files, size = files + 1, size + found.size
    return files, size


def remove_of_ended_sessions(store: AudioStore, hours: float) -> int:
    """Removes the audio of focus sessions that ended so long ago; returns the number. Raises Unavailable."""
    removed = 0
    for name in focus_audio.forget_ended(_age(hours)):
        store.delete(name)
        removed += 1
    return removed


def copy(source: AudioStore, target: AudioStore, rows: Iterable[TrackAudio], total: int, progress: Progress) -> Copied:
    """Copies the audio of tracks, but for what the target has already in the same size. Raises AudioUnavailable."""
    copied, size, already, missing = 0, 0, 0, list[TrackAudio]()
    for done, row in enumerate(rows, start=1):
        if target.size(row.audio.name) == row.audio.size:
            already += 1
        else:
            try:
                size += source.copy(row.audio.name, target, row.audio.mime_type)
                copied += 1
            except NoAudio:
                missing.append(row)
        progress(done, total)
    return Copied(copied, size, already, counted(missing))


def missing_sentences(missing: Missing) -> list[str]:
    """What is missing, for people; nothing if nothing is."""
    if not missing.total:
        return []
    more = ", ..." if missing.total > len(missing.track_ids) else ""
    noun = "track has" if missing.total == 1 else "tracks have"
    return [f"{missing.total} {noun} no audio in the store: {', '.join(missing.track_ids)}{more}."]


def check_sentences(found: Check) -> list[str]:
    """The result of a check for people."""
    unnamed = f"{found.unnamed} old objects have no track, {found.unnamed_bytes // MIB} MiB: `audio clean` deletes it."
    whole = f"All {found.tracks} tracks with audio have it in the store."
    return [*(missing_sentences(found.missing) or [whole]), *([unnamed] if found.unnamed else [])]


def cleaned_sentence(cleaned: Cleaned) -> str:
    """The result of a clean-up for people."""
    if cleaned.kept:
        return f"No track names {cleaned.kept} objects, most of the store: kept. Add --all if it is this database's."
    return f"{cleaned.deleted} objects without a track deleted, {cleaned.deleted_bytes // MIB} MiB."


def facts(result: NamedTuple) -> dict[str, Any]:
    """A result as it is printed."""
    return {name: value._asdict() if isinstance(value, Missing) else value for name, value in result._asdict().items()}


def counted(rows: Iterable[TrackAudio]) -> Missing:
    """The number of the rows, and the ids of the first."""
    found = iter(rows)
    first = [row.track_id for row in islice(found, SHOWN)]
    return Missing(len(first) + sum(1 for _ in found), first)


def _age(hours: float) -> datetime:
    return now() - timedelta(hours=hours)


def _own_objects(store: AudioStore, organization_id: str = "") -> Iterator[StoredObject]:
    return (found for found in store.list(organization_id) if _OWN.fullmatch(found.name))


def _unnamed(objects: Iterator[StoredObject], before: datetime) -> Iterator[StoredObject]:
    """Those objects older than `before` that no track names."""
    old = (found for found in objects if found.modified < before)
    while batch := list(islice(old, BATCH)):
        named = _named(batch)
        yield from (found for found in batch if found.name not in named)


def _named(batch: list[StoredObject]) -> set[str]:
    names: dict[str, list[str]] = {}
    for found in batch:
        if (own := _OWN.fullmatch(found.name)) and own[1]:
            names.setdefault(own[1], []).append(found.name)
    known = [
        named(organization_id, some)
        for organization_id, some in names.items()
        for named in (track_audio.named, focus_audio.named)
    ]
    return set().union(*known)
