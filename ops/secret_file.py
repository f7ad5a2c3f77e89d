"""Writes a secret to a new file that only its owner can read, so that no screen and no shell history holds it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import CommandError


@contextmanager
def write(file: Path | None) -> Iterator[Callable[[str], None]]:
    """A function that writes the secret; without a file it does nothing. The file is created before the secret is.

    Raises CommandError for a file that exists, which may be readable by others or be a link.
    """
    if file is None:
        yield lambda _secret: None
        return
    number = _created(file)
    try:
        yield lambda secret: _write(number, secret)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(number)


def _created(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None


def _write(number: int, secret: str) -> None:
    os.write(number, f"{secret}\n".encode())
    os.fsync(number)
