"""Imports a folder of audio files as tracks of an organization, with their audio.

A file is known by the SHA-256 digest of its bytes, so an import that was interrupted goes on where it was. The audio is
copied to a temporary file, and what is described, stored and counted is that copy, whatever happens to the file. The
audio is in the store before a row names it.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models import library, track_audio, tracks
from models.audio_store import AudioStore, StoredAudio
from models.db import connection
from models.tracks import Track
from ops import audio_files
from ops.audio_decoding import Unreadable, one_line
from ops.audio_reader import AudioReader, Description
from ops.errors import CommandError

COLUMNS = ("id", "title", "duration_ms", "mime_type", "audio_bytes", "creator_id", "created_at")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one file: the id of its track, or the reason why there is none."""

    file: str
    track_id: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Report:
    """The outcomes: new tracks, tracks that got the audio they lacked, tracks of colleagues that are now saved."""

    added: list[Outcome] = field(default_factory=list)
    completed: list[Outcome] = field(default_factory=list)
    saved: list[Outcome] = field(default_factory=list)
    already_there: list[Outcome] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report for people: skipped files with reasons, then the numbers."""
        numbers = [f"{len(self.added)} added"]
        numbers += [f"{len(self.completed)} got their audio"] if self.completed else []
        numbers += [f"{len(self.saved)} of others saved"] if self.saved else []
        numbers += [f"{len(self.already_there)} already there", f"{len(self.skipped)} skipped"]
        return [*(f"skipped {outcome.file}: {outcome.reason}" for outcome in self.skipped), ", ".join(numbers)]

    def facts(self) -> dict[str, Any]:
        """The report for scripts."""
        return asdict(self)


@dataclass(slots=True)
class Importer:
    """Imports one file after another for a member of an organization. `folder` is for the temporary copies.

    `limit_mib` is what the organization may have of audio, 0 for no limit.
    """

    organization_id: str
    user_id: str
    store: AudioStore
    reader: AudioReader
    folder: Path
    limit_mib: int
    report: Report = field(default_factory=Report)

    def add(self, path: Path) -> None:
        """Imports a file and adds the outcome to the report.

        Raises CommandError when the organization has no room for it, Unavailable when database or store do not answer.
        """
        try:
            self._add(path)
        except Unreadable as reason:
            self.report.skipped.append(Outcome(str(path), reason=str(reason)))

    def _add(self, path: Path) -> None:
        copied = self.folder / "copy"
        with audio_files.opened(path) as source:
            # Most files of a second import are known: they are read, and not copied.
            known = tracks.with_digest(self.organization_id, audio_files.copy(source).digest)
            if known is not None and self._has_audio(known):
                self._save(path, known)
                return
            with copied.open("wb") as target:
                copy = audio_files.copy(source, target)
        description = self.reader.read(copied)
        self._require_room(copy.size)
        self._store(path, copied, copy.digest, description)

    def _require_room(self, size: int) -> None:
        if not track_audio.has_room(self.organization_id, size, self.limit_mib):
            raise CommandError(
                f"The organization may have {self.limit_mib} MiB of audio, and the next file would exceed it: "
                "delete tracks, or raise MUSIC_STUDIO_ORGANIZATION_AUDIO_MIB."
            )

    def _has_audio(self, track: Track) -> bool:
        return track.audio_name is not None and self.store.exists(track.audio_name)

    def _save(self, path: Path, track: Track) -> None:
        """Puts a track that is there into the user's library."""
        is_new = not library.is_saved(self.organization_id, self.user_id, track)
        if is_new:
            library.put(self.organization_id, self.user_id, track)
        outcomes = self.report.saved if is_new else self.report.already_there
        outcomes.append(Outcome(str(path), track.id, "the same audio is a track already"))

    def _store(self, path: Path, copied: Path, digest: bytes, description: Description) -> None:
        """Stores the audio, and then the track that names it, or the audio of a track that has none yet."""
        known = tracks.with_digest(self.organization_id, digest)
        track_id = known.id if known else tracks.new_track_id()
        audio = self.store.write_file(self.organization_id, track_id, description.mime_type, copied)
        # If the database fails now, the audio stays: the row may be there. What no row names is removed later.
        track = self._record(path, known, track_id, digest, description, audio)
        if track is None:
            self.store.delete(audio.name)
            self._add(path)  # somebody else has imported it meanwhile
        else:
            outcomes = self.report.completed if known else self.report.added
            outcomes.append(Outcome(str(path), track.id))

    @connection.transaction
    def _record(
        self,
        path: Path,
        known: Track | None,
        track_id: str,
        digest: bytes,
        description: Description,
        audio: StoredAudio,
    ) -> Track | None:
        """The track with its audio, in the user's library; None if another import was faster."""
        if known is not None:
            track = tracks.attach_audio(known, audio, description.duration_ms)
        else:
            track = tracks.add(
                self.organization_id,
                self.user_id,
                track_id=track_id,
                title=description.title or one_line(path.stem) or "Untitled",
                duration_ms=description.duration_ms,
                source_digest=digest,
                audio=audio,
            )
        if track is not None:
            library.put(self.organization_id, self.user_id, track)
        return track


def listed(organization_id: str) -> list[dict[str, Any]]:
    """All tracks of the organization, oldest first."""
    return [{column: getattr(track, column) for column in COLUMNS} for track in tracks.list_all(organization_id)]
