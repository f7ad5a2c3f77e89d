"""The key pepper: from a setting, from a file of the operator, or made once in a file beside the database."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ops import secret_file
from ops.errors import CommandError

MIN_BYTES = 32
NAME = "key-pepper"


def load(value: str, file: str, folder: Path) -> bytes:
    """The pepper: `value`, or the content of `file`, or else of a file in `folder`, which is made if it is missing.

    Raises CommandError for a pepper of fewer than 32 bytes, and for a file that others may read.
    """
    if value:
        return _checked(value.encode(), "MUSIC_STUDIO_KEY_PEPPER")
    if file:
        return _checked(secret_file.read(Path(file)).strip(), f"the file {file}")
    own = folder / NAME
    if not own.exists():
        _make(own)
    return _checked(secret_file.read(own), f"the file {own}")


def _checked(pepper: bytes, place: str) -> bytes:
    if len(pepper) < MIN_BYTES:
        raise CommandError(
            f"The key pepper in {place} has {len(pepper)} bytes of at least {MIN_BYTES}: put back the right one, or "
            "replace it with 64 random hexadecimal digits and create all keys again."
        )
    return pepper


def _make(file: Path) -> None:
    """Makes the file with a new pepper, whole or not at all; of several processes at the same time one makes it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{NAME}.{secrets.token_hex(8)}")
    try:
        secret_file.create(draft, secrets.token_hex(32).encode())
        # A link, unlike a rename, never replaces the pepper that another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    secret_file.sync_folder(file.parent)
