"""Backup of audio in a folder, which is a store of its own, and its way back into the store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from models import track_audio
from models.exceptions import AudioUnavailable
from models.track_audio import TrackAudio
from ops import audio
from ops.audio import Copied, Missing
from ops.backup import Progress
from ops.errors import CommandError


class Restored(NamedTuple):
    """Objects that were copied back, and tracks without audio; None and the reason if the store cannot be used."""

    copied_audio: int
    missing_audio: Missing | None
    reason: str | None = None


def save(url: str, folder: Path, rows: Sequence[TrackAudio], progress: Progress) -> Copied:
    """Copies the audio of the rows into a folder, but for what it has. Raises AudioUnavailable, CommandError."""
    source = audio.open_store(url)
    if source.path("") == folder.absolute():
        raise CommandError(f"The folder {folder} is the audio store itself: name another one.")
    return audio.copy(source, audio.open_store(_url(folder)), rows, len(rows), progress)


def save_all(url: str, folder: Path, progress: Progress) -> Copied:
    """Copies the audio of all tracks of the current database. Raises Unavailable, CommandError."""
    return save(url, folder, list(track_audio.list_live()), progress)


def restore(url: str, folder: Path | None, progress: Progress) -> Restored:
    """Copies what the store lacks for the tracks of the current database back from a folder, if one is given."""
    copied = 0
    try:
        store = audio.open_store(url)
        if folder is not None:
            lost = list(audio.find_missing(store))
            copied = audio.copy(audio.open_store(_url(folder)), store, lost, len(lost), progress).copied
        return Restored(copied, audio.counted(audio.find_missing(store)))
    except AudioUnavailable as failure:  # the database is restored all the same
        return Restored(copied, None, failure.reason)


def require_folder(folder: Path | None) -> None:
    """Raises CommandError for what is no folder."""
    if folder is not None and not folder.is_dir():
        raise CommandError(f"{folder} is not a folder: name one that `backup --audio` has written.")


def saved_sentences(copied: Copied, folder: Path) -> list[str]:
    """The result of a backup for people."""
    counts = f"{copied.copied} copied, {copied.already_there} already there"
    return [f"Audio is in {folder}: {counts}.", *audio.missing_sentences(copied.missing)]


def restored_facts(restored: Restored) -> dict[str, Any]:
    """The result of a restore as it is printed."""
    return audio.facts(restored)


def restored_sentences(restored: Restored) -> list[str]:
    """The result of a restore for people."""
    copied = [f"{restored.copied_audio} audio files were copied back."] if restored.copied_audio else []
    if restored.missing_audio is None:
        return [*copied, f"The audio could not be compared with the tracks: {restored.reason}."]
    return copied + audio.missing_sentences(restored.missing_audio)


def _url(folder: Path) -> str:
    return folder.absolute().as_uri()
