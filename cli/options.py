"""Options that several commands share, and opening the database for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import settings
from cli.opening import opened_database

Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Database: sqlite:///FILE or postgresql://... [MUSIC_STUDIO_DATABASE_URL]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Organization = Annotated[str, typer.Option(help="Organization, such as org_abc123.", metavar="ID")]
OrganizationId = Annotated[str, typer.Argument(help="Organization, such as org_abc123.", metavar="ORG")]
User = Annotated[str, typer.Option(help="User, such as user_alice.", metavar="ID")]


def named_group(summary: str) -> typer.Typer:
    """A group of commands under one name, which prints its help when it is given no command."""
    return typer.Typer(help=summary, callback=show_help, invoke_without_command=True)


def show_help(ctx: typer.Context) -> None:
    """Print the help of a group that was given no command."""
    if ctx.invoked_subcommand is None and (text := ctx.get_help()):
        typer.echo(text)


def report(as_json: bool, facts: dict[str, Any], *sentences: str) -> None:
    """Print the result of a command that lists nothing: sentences on stderr, or facts as JSON."""
    from ops import output

    if as_json:
        output.show_json(facts)
    else:
        output.echo(*sentences, err=True)


@contextmanager
def open_database(database_url: str | None) -> Iterator[settings.Settings]:
    """The settings, while the database that they name is open. Raises CommandError."""
    chosen = settings.with_options(database_url=database_url)
    with opened_database(chosen):
        yield chosen
