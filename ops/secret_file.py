"""Files that hold a secret: written with mode 0600, and read only if nobody else may read them."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import CommandError

GROUP_AND_OTHERS, GROUP_MAY_READ = 0o077, 0o040


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
        yield lambda secret: _write(descriptor, f"{secret}\n".encode())
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def create(file: Path, secret: bytes) -> None:
    """Writes a new file, to the disk, or none. Raises CommandError if it exists, OSError."""
    descriptor = _create(file)
    try:
        _write(descriptor, secret)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def read(file: Path) -> bytes:
    """The content of a regular file that only its owner may read. Raises CommandError, OSError.

    A file of another owner, such as root, may be readable by the group: that is how a service without rights gets it.
    """
    # Opening a pipe would wait for its writer.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        _require_private(os.fstat(opened.fileno()), file)
        return opened.read()


def sync_folder(folder: Path) -> None:
    """Writes the names of the folder's files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_private(status: os.stat_result, file: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CommandError(f"The secret {file} is no regular file: name another one.")
    is_own = status.st_uid == os.geteuid()
    refused = GROUP_AND_OTHERS if is_own else GROUP_AND_OTHERS & ~GROUP_MAY_READ
    if status.st_mode & refused:
        wanted = "0600" if is_own else "0440, with the service's group"
        raise CommandError(
            f"The secret {file} has mode {stat.S_IMODE(status.st_mode):04o}, so others can read or change it: "
            f"give it mode {wanted}."
        )


def _create(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None


def _write(descriptor: int, secret: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(secret)
    os.fsync(descriptor)
