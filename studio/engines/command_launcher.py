"""Run as a program: sets the limits of its process, then becomes the program of an engine.

Arguments: bytes of memory, bytes of a file, seconds of processor time, then the program with its arguments. A function
between fork and exec would do the same, and can hang in a process with threads.
"""

import os
import resource
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Becomes the program; ends with status 127 if it cannot be run."""
    memory, file, seconds = map(int, sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    # The data segment and private memory; a graphics card's driver reserves far more addresses than it uses.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    _end_with_parent()
    try:
        os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - no shell is the point
    except OSError:
        os._exit(127)


def _end_with_parent() -> None:
    """A worker that is killed cannot end the program any more. Elsewhere than on Linux its limits do."""
    if sys.platform == "linux":
        with suppress(ImportError, MemoryError, OSError):  # a hardened system may forbid what ctypes needs
            import ctypes

            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
