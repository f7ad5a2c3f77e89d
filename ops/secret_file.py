"""Writes a secret to a new file with mode 0600 instead of printing it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import CommandError


@contextmanager
def write(file: Path | None) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes the secret; without a file it does nothing. The file is created first.

    Raises CommandError if the file exists: it could be readable by others or be a link.
    """
    if file is None:
        yield lambda _secret: None
        return
    descriptor = _create(file)
    try:
        yield lambda secret: _write(descriptor, secret)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _create(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None


def _write(descriptor: int, secret: str) -> None:
    os.write(descriptor, f"{secret}\n".encode())
    os.fsync(descriptor)
