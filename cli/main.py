"""The command `music-studio`: serve, work, mock, call, migrate, backup, restore, demo, keys and more."""

import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import audio, call, database, engines, keys, members, organizations, serve, shares, studio, tracks, work
from cli import mock as mocking
from cli import settings as configuration
from cli.options import show_help, version
from ops import errors, output
from settings import BadSetting
from web.exceptions import ContractError
from web.redaction import mask_credentials
from web.server.sockets import CannotListen

NAME = "music-studio"
USAGE_STATUS = 2
# What a command or a server writes is for its owner only: databases, backups, keys, metrics.
UMASK = 0o077


class CommandLine(TyperGroup):
    """Runs a command. An error is one sentence on stderr: exit status 1, or 2 for wrong usage."""

    def main(self, *args: Any, **options: Any) -> Any:
        options |= {"prog_name": NAME, "standalone_mode": False}
        os.umask(UMASK)
        try:
            status = super().main(*args, **options)
            sys.stdout.flush()
        except typer.TyperException as problem:
            _fail(_usage(problem), status=USAGE_STATUS)
        except BrokenPipeError:  # the reader of a pipe has left
            sys.exit(1)
        except errors.EXPECTED as problem:
            _fail(*errors.lines(problem))
        except (BadSetting, CannotListen, ContractError) as problem:
            _fail(*str(problem).splitlines())
        except OSError as problem:
            reason = problem.strerror or str(problem)
            _fail(f"Cannot use {problem.filename}: {reason}." if problem.filename else f"{reason}.")
        finally:
            _discard_unwritable_output()
        sys.exit(status)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.echo(f"{NAME} {version()}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    show_help(ctx)


cli = typer.Typer(
    cls=CommandLine,
    help="Run and operate a Music Studio server.",
    callback=_root,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if os.isatty(1) else None,
)
# The commands of a group without a name are commands of the program.
cli.add_typer(serve.group)
cli.add_typer(work.group)
cli.add_typer(mocking.group)
cli.add_typer(call.group)
cli.add_typer(database.group)
cli.add_typer(keys.group, name="keys")
cli.add_typer(tracks.group, name="tracks")
cli.add_typer(audio.group, name="audio")
cli.add_typer(studio.group, name="studio")
cli.add_typer(engines.group, name="engines")
cli.add_typer(members.group, name="members")
cli.add_typer(organizations.group, name="organizations")
cli.add_typer(shares.group, name="shares")
cli.add_typer(organizations.reports)
cli.add_typer(configuration.group)


def main() -> None:
    """Run the command that was typed."""
    sys.excepthook = _print_traceback
    _open_standard_streams()
    cli()


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


def _usage(problem: typer.TyperException) -> str:
    message = " ".join(problem.format_message().split())
    context = getattr(problem, "ctx", None)
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See `{context.command_path if context else NAME} --help`."


def _fail(message: str, *lines: str, status: int = 1) -> None:
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
