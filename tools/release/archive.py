"""Archives with the same bytes for the same files: sorted, and without times, owners and modes of this machine."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

# 1980-01-01, the first time that every archive format has.
EPOCH = 315_532_800


def write(folder: Path, target: Path, name: str) -> None:
    """Writes the files of a folder as `target`, a .tar.gz, below the folder `name`."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with target.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, EPOCH) as packed:  # noqa: SIM117 - reads better
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for file in files:
                _add(archive, file, f"{name}/{file.relative_to(folder).as_posix()}")


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    content = file.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(content), EPOCH
    entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
    archive.addfile(entry, io.BytesIO(content))
