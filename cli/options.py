"""Options that several commands share, and opening the database for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import settings

Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Database: sqlite:///FILE or postgresql://... [MUSIC_STUDIO_DATABASE_URL]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Organization = Annotated[str, typer.Option(help="Organization, such as org_abc123.", metavar="ID")]
OrganizationId = Annotated[str, typer.Argument(help="Organization, such as org_abc123.", metavar="ORG")]
User = Annotated[str, typer.Option(help="User, such as user_alice.", metavar="ID")]


def version() -> str:
    """The version of the contract, which is the project's: the package's metadata must say the same."""
    import yaml

    document = yaml.load(Path(settings.CONTRACT).read_bytes(), Loader=yaml.CSafeLoader)
    return str(document["info"]["version"])


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


@contextmanager
def opened_database(chosen: settings.Settings) -> Iterator[None]:
    """Opens the database of the settings, which must have the newest tables. Raises CommandError."""
    from ops import database_setup

    options: dict[str, Any] = {
        "prepared_statements": chosen.prepared_statements,
        "key_cache_seconds": chosen.key_cache_seconds,
    }
    with database_setup.open_database(chosen.database_url, **options):
        yield


def add_demo_audio(chosen: settings.Settings) -> None:
    """Gives the demo's tracks the audio that they lack, or says why they stay without."""
    from ops import audio, demo_audio, output

    store = audio.open_writable(settings.audio_url(chosen))
    with output.progress_bar("Making the demo's music") as update:
        reason = demo_audio.add(chosen.demo_audio, store, update)
    if reason:
        output.echo(f"The demo has no audio: {reason}.", err=True)


def demo_file(chosen: settings.Settings) -> Path:
    """The file that keeps the keys of the demo between two starts."""
    from ops import database_setup

    return database_setup.folder(chosen.database_url, Path("var")) / "demo-keys.json"
