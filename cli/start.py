"""The program `music-studio` starts here: it finds the command that was typed.

A command line that serves is read here if it is plain, because Typer and what it imports take a fifth of the time to
the first response. Every other one, and every mistake, is for Typer. Decision 104.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any

from cli.program import run
from ops import output
from web.redaction import mask_credentials

# Whether the command prepares the database.
SERVING: Mapping[str, bool] = MappingProxyType({"serve": False, "up": True})
OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {"--host": str, "--port": int, "--workers": int, "--database-url": str}
)
FLAG = "--json"


def main() -> None:
    """Run the command that was typed."""
    sys.excepthook = _print_traceback
    _open_standard_streams()
    command = serving_command(sys.argv[1:])
    if command is not None:
        run(command)
    from cli import main as typed

    typed.cli()


def serving_command(words: list[str]) -> Callable[[], None] | None:
    """What runs a plain command line that serves; None for another one, which is for Typer to read or to refuse."""
    if not words or words[0] not in SERVING:
        return None
    options = _options(iter(words[1:]))
    return None if options is None else partial(_serve, SERVING[words[0]], **options)


def _options(words: Iterable[str]) -> dict[str, Any] | None:
    """The options of a command line on which each has its value behind it; None for another."""
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word == FLAG:
            options["as_json"] = True
        elif word in OPTIONS and _is_plain(value := next(rest, ""), OPTIONS[word]):
            options[word.removeprefix("--").replace("-", "_")] = OPTIONS[word](value)
        else:
            return None
    return options


def _is_plain(value: str, kind: Callable[[str], Any]) -> bool:
    return value.isascii() and value.isdigit() if kind is int else bool(value) and not value.startswith("-")


def _serve(prepare: bool, *, as_json: bool = False, **options: Any) -> None:
    import settings
    from cli import serving

    serving.serve(settings.with_options(**options), prepare=prepare, as_json=as_json)


def _print_traceback(kind: type[BaseException], error: BaseException, origin: TracebackType | None) -> None:
    """The traceback of a fault of the program, which may quote a URL or a name."""
    text = mask_credentials("".join(traceback.format_exception(kind, error, origin)))
    output.echo(*text.splitlines(), err=True)


def _open_standard_streams() -> None:
    """Opens closed standard streams on the null device: else the next file would be opened as one of them.

    Then what is written to standard error would go into that file, which may be the database.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(descriptor, True)  # workers get it too
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
