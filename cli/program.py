"""How the program ends after a command: with its exit status, and what went wrong in one sentence."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from ops import errors, output
from settings import BadSetting
from web.exceptions import ContractError
from web.redaction import mask_credentials
from web.server.sockets import CannotListen

NAME = "music-studio"
INTERRUPTED = 130
# What a command or a server writes is for its owner only: databases, backups, keys, metrics.
UMASK = 0o077


def run(command: Callable[[], Any]) -> NoReturn:
    """Ends the process after a command. An error is one sentence on stderr, and exit status 1."""
    os.umask(UMASK)
    status = None
    try:
        status = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has left
        sys.exit(1)
    except errors.EXPECTED as problem:
        fail(*errors.lines(problem))
    except (BadSetting, CannotListen, ContractError) as problem:
        fail(*str(problem).splitlines())
    except OSError as problem:
        reason = problem.strerror or str(problem)
        fail(f"Cannot use {problem.filename}: {reason}." if problem.filename else f"{reason}.")
    finally:
        _discard_unwritable_output()
    sys.exit(status)


def fail(message: str, *lines: str, status: int = 1) -> NoReturn:
    """Ends the process with an error of one sentence, and perhaps lines after it."""
    with suppress(OSError):  # the exit status says it too
        output.echo(*map(mask_credentials, (f"{NAME}: {message}", *lines)), err=True)
    sys.exit(status)


def _discard_unwritable_output() -> None:
    """Python flushes the streams at its end; it would complain with a traceback, and end with status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
