"""An engine that runs a program: the request as JSON on standard input, a WAV file out.

The program gets no shell, no environment but PATH, a folder of its own, and limits of time, memory and output. It
writes the WAV file to standard output, or to the file that stands in its arguments for `{output}`. Exit status 77
(EX_NOPERM) says that it will not do this; the last line of standard error is then the reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from studio.engines.base import EngineFailed, EngineRefused, Progress
from studio.engines.command_catalog import SEARCH_PATH, Program

OUTPUT = "{output}"
WAVE_FILE = "output.wav"
REFUSED = 77
POLL_SECONDS = 0.2
# 48 kHz, two channels of 32 bits, and the same again: enough for every usual form.
BYTES_PER_SECOND = 2 * 48_000 * 2 * 4
SPARE_BYTES = 2**20
WORDS_BYTES, REASON_CHARACTERS = 4096, 200
_LAUNCHER = str(Path(__file__).with_name("command_launcher.py"))


def run(program: Program, request: Mapping[str, Any], folder: Path, progress: Progress) -> Path:
    """Runs the program in `folder`, an empty one; returns the path of the file that it has written.

    `request` has `duration_seconds` and whatever else the program may want to know. `progress` is called with 0 several
    times a second, and may raise Cancelled. Raises EngineFailed and EngineRefused; the program and all processes of its
    group have ended then.
    """
    output = folder / WAVE_FILE
    size = int(request["duration_seconds"]) * BYTES_PER_SECOND + SPARE_BYTES
    with _started(program, request, folder, size) as process:
        status = _wait(process, program, progress)
    words = printable_end(folder / "stderr")
    if status == REFUSED:
        raise EngineRefused(words.splitlines()[-1][:REASON_CHARACTERS] if words else "The engine does not do this.")
    if status != 0:
        raise EngineFailed("The engine failed.", f"exit status {status}: {words}")
    if not output.is_file() or output.is_symlink():
        raise EngineFailed("The engine wrote no audio.", f"no file: {words}")
    return output


@contextmanager
def _started(
    program: Program, request: Mapping[str, Any], folder: Path, size: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The running program; its whole process group is killed at the end."""
    limits = (program.memory_mib * 2**20, size, program.timeout_seconds)
    arguments = [str(folder / WAVE_FILE) if word == OUTPUT else word for word in program.command]
    written = folder / ("stdout" if OUTPUT in program.command else WAVE_FILE)
    (folder / "stdin").write_text(json.dumps(request), encoding="utf-8")
    with (folder / "stdin").open("rb") as given, written.open("wb") as out, (folder / "stderr").open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCHER, *map(str, limits), *arguments],
            cwd=folder, env={"PATH": SEARCH_PATH}, stdin=given, stdout=out, stderr=words, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            _kill_group(process)


def _wait(process: subprocess.Popen[bytes], program: Program, progress: Progress) -> int:
    """The exit status. The process is not reaped, so that nobody else gets the number of its group."""
    ends = time.monotonic() + program.timeout_seconds
    while (state := os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
        progress(0.0)
        if time.monotonic() > ends:
            raise EngineFailed("The engine took too long.", f"more than {program.timeout_seconds} s")
        if _group_memory(process.pid) > program.memory_mib * 2**20:
            raise EngineFailed("The engine needed too much memory.", f"more than {program.memory_mib} MiB")
        time.sleep(POLL_SECONDS)
    return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # on macOS a group of zombies refuses
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _group_memory(group: int) -> int:
    """Resident memory of all processes of a group in bytes; 0 on systems without /proc."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # a process that has ended meanwhile
            fields = entry.read_text(encoding="latin-1").rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def printable_end(path: Path) -> str:
    """The last 4 KiB of a text, without control characters but line feeds, and without empty lines."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - WORDS_BYTES))
            text = file.read(WORDS_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = ("".join(" " if _is_control(char) else char for char in line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _is_control(char: str) -> bool:
    """Control and format characters, which move a cursor or turn the direction of a text, and lone surrogates."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
