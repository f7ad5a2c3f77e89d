"""The command `music-studio`: serve, mock, migrate, backup, restore, demo, keys, tracks, studio and settings."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import settings
from cli import database, keys, serve, studio, tracks
from cli import mock as mocking
from cli import settings as configuration
from cli.options import show_help
from ops.errors import EXPECTED, sentence
from settings import BadSetting
from web.server.sockets import CannotListen

NAME = "music-studio"
USAGE_STATUS = 2


class CommandLine(TyperGroup):
    """Runs a command. An error is one sentence on stderr: exit status 1, or 2 for wrong usage."""

    def main(self, *args: Any, **options: Any) -> Any:
        options |= {"prog_name": NAME, "standalone_mode": False}
        try:
            status = super().main(*args, **options)
            sys.stdout.flush()
        except typer.TyperException as problem:
            _fail(_usage(problem), USAGE_STATUS)
        except BrokenPipeError:
            # The reader of a pipe has left. Python would complain once more when it flushes the stream at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except EXPECTED as problem:
            _fail(sentence(problem))
        except (BadSetting, CannotListen) as problem:
            _fail(str(problem))
        except OSError as problem:
            reason = problem.strerror or str(problem)
            _fail(f"Cannot use {problem.filename}: {reason}." if problem.filename else f"{reason}.")
        sys.exit(status)


def _show_version(wanted: bool) -> None:
    """The contract's version is the project's: the package's metadata must say the same."""
    if wanted:
        import yaml

        document = yaml.load(Path(settings.CONTRACT).read_bytes(), Loader=yaml.CSafeLoader)
        typer.echo(f"{NAME} {document['info']['version']}")
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
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)
# The commands of a group without a name are commands of the program.
cli.add_typer(serve.group)
cli.add_typer(mocking.group)
cli.add_typer(database.group)
cli.add_typer(keys.group, name="keys")
cli.add_typer(tracks.group, name="tracks")
cli.add_typer(studio.group, name="studio")
cli.add_typer(configuration.group)


def main() -> None:
    """Run the command that was typed."""
    cli()


def _usage(problem: typer.TyperException) -> str:
    message = " ".join(problem.format_message().split())
    context = getattr(problem, "ctx", None)
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See `{context.command_path if context else NAME} --help`."


def _fail(message: str, status: int = 1) -> None:
    typer.echo(f"{NAME}: {message}", err=True)
    sys.exit(status)
