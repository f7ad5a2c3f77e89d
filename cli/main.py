"""The commands of `music-studio`: serve, work, mock, call, migrate, backup, restore, demo, keys and more."""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import audio, call, database, engines, keys, members, organizations, serve, shares, studio, tracks, work
from cli import mock as mocking
from cli import settings as configuration
from cli.options import show_help
from cli.program import NAME, fail, run
from cli.version import version
from ops import output

USAGE_STATUS = 2


class CommandLine(TyperGroup):
    """Runs a command. An error is one sentence on stderr: exit status 1, or 2 for wrong usage."""

    def main(self, *args: Any, **options: Any) -> Any:
        options |= {"prog_name": NAME, "standalone_mode": False}

        def command() -> Any:
            try:
                return super(CommandLine, self).main(*args, **options)
            except typer.TyperException as problem:
                fail(_usage(problem), status=USAGE_STATUS)

        run(command)


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


def _usage(problem: typer.TyperException) -> str:
    message = " ".join(problem.format_message().split())
    context = getattr(problem, "ctx", None)
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See `{context.command_path if context else NAME} --help`."
