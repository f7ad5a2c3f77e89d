"""What an operator types: serve, mock, migrate, backup, restore, demo, keys, tracks and settings."""

import sys
from typing import NoReturn

import typer

from cli import database, keys, tracks
from cli import mock as mocking
from cli import serve as serving
from cli import settings as configuration
from cli.options import LOOK
from ops.errors import CommandError
from settings import BadSetting
from web.server.sockets import CannotListen

cli = typer.Typer(help="Runs and looks after a Music Studio server.", **LOOK)
# The commands of a group without a name are typed as they are.
cli.add_typer(serving.group)
cli.add_typer(mocking.group)
cli.add_typer(database.group)
cli.add_typer(keys.group, name="keys")
cli.add_typer(tracks.group, name="tracks")
cli.add_typer(configuration.group)


def main() -> None:
    """Run the command that was typed; what an operator can mend is one sentence and exit status 1."""
    try:
        cli()
    except (CommandError, BadSetting, CannotListen) as reason:
        _give_up(str(reason))
    except OSError as problem:
        _give_up(f"Cannot use {problem.filename}: {problem.strerror}." if problem.filename else f"{problem}.")


def _give_up(sentence: str) -> NoReturn:
    typer.echo(f"music-studio: {sentence}", err=True)
    sys.exit(1)
