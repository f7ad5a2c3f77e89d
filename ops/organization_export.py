"""Export of an organization into a folder: its rows as JSON Lines, its audio, and a manifest with digests.

manifest.json        written last: a folder without it is an export that was not finished
rows/TABLE.jsonl     a row in each line, without the digests of secrets
audio/ORG/...        the audio, in the form of a store
audio.jsonl          the file, the track, the size and the digest of each audio
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from models import organization_rows, track_audio
from models.audio_store import AudioStore
from models.base import now
from models.exceptions import NoAudio
from models.schema import tracks
from ops import audio, output, schema
from ops.errors import CommandError
from ops.members import require_organization

MANIFEST = "manifest.json"


class Export:
    """An export that is being written into an empty folder, which is made if it is missing. Raises CommandError."""

    def __init__(self, organization_id: str, folder: Path) -> None:
        require_organization(organization_id)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CommandError(f"{folder} is not an empty folder: name a new one.")
        (folder / "rows").mkdir(mode=0o700, parents=True)
        self.organization_id = organization_id
        self.folder = folder
        self._files: list[dict[str, Any]] = []
        self._audio_files = self._audio_bytes = 0
        self._missing: list[str] = []

    def write_rows(self, progress: Callable[[int, int], None]) -> None:
        """Writes a file for each table. A row comes before those that it refers to, so none refers to a missing one."""
        tables = organization_rows.tables()
        for done, table in enumerate(tables, start=1):
            self._write(f"rows/{table.name}.jsonl", organization_rows.read(table, self.organization_id))
            progress(done, len(tables))

    def copy_audio(self, store: AudioStore, progress: Callable[[int, int], None]) -> None:
        """Copies the audio of the tracks that are not deleted."""
        (self.folder / "audio").mkdir(mode=0o700)
        total = sum(1 for _ in self._tracks())
        self._write("audio.jsonl", self._copied(store, lambda done: progress(done, total)))

    def finish(self) -> dict[str, Any]:
        """Writes the manifest; returns what was exported."""
        manifest = {
            "organization_id": self.organization_id,
            "exported_at": now(),
            "revision": schema.revision(),
            "files": self._files,
            "missing_audio": self._missing,
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=_text) + "\n", encoding="utf-8")
        return {
            "organization_id": self.organization_id,
            "folder": str(self.folder),
            "rows": sum(each["lines"] for each in self._files if each["file"].startswith("rows/")),
            "audio_files": self._audio_files,
            "audio_bytes": self._audio_bytes,
            "missing_audio": self._missing,
        }

    def _write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        digest, lines = hashlib.sha256(), 0
        with (self.folder / name).open("xb") as file:
            for row in rows:
                line = json.dumps(row, ensure_ascii=False, default=_text).encode() + b"\n"
                file.write(line)
                digest.update(line)
                lines += 1
        self._files.append({"file": name, "lines": lines, "sha256": digest.hexdigest()})

    def _tracks(self) -> Iterator[dict[str, Any]]:
        rows = organization_rows.read(tracks, self.organization_id)
        return (row for row in rows if row["audio_name"] is not None and row["deleted_at"] is None)

    def _copied(self, store: AudioStore, progress: Callable[[int], None]) -> Iterator[dict[str, Any]]:
        target = audio.open_store((self.folder / "audio").absolute().as_uri())
        for done, track in enumerate(self._tracks(), start=1):
            try:
                size = store.copy(track["audio_name"], target, track["mime_type"])
                yield self._described(track, size)
            except NoAudio:
                self._missing.append(track["id"])
            progress(done)

    def _described(self, track: Mapping[str, Any], size: int) -> dict[str, Any]:
        self._audio_files += 1
        self._audio_bytes += size
        name = f"audio/{track['audio_name']}"
        with (self.folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": name, "track_id": track["id"], "bytes": size, "sha256": digest}


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Says what to do about an export that ends early, whatever ends it."""
    try:
        yield
    except BaseException:
        output.echo(f"The export in {folder} is not complete: delete the folder, and export again.", err=True)
        raise


def sentences(facts: Mapping[str, Any]) -> list[str]:
    """The result for people."""
    size = facts["audio_bytes"] // track_audio.MIB
    counts = f"{facts['rows']} rows, {facts['audio_files']} audio files, {size} MiB"
    missing = audio.Missing(len(facts["missing_audio"]), facts["missing_audio"][: audio.SHOWN])
    return [f"{facts['organization_id']} is in {facts['folder']}: {counts}.", *audio.missing_sentences(missing)]


def _text(value: object) -> Any:
    """What JSON has no form for: times, sets, and bytes as Base64."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be exported")
