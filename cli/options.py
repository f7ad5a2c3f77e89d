"""What several commands share: their look, their options, and opening the database before the work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import settings

LOOK: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich" if sys.stdout.isatty() else None,
}

Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; else MUSIC_STUDIO_DATABASE_URL."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Organization = Annotated[str, typer.Option(help="Organization, such as org_abc123.", metavar="ID")]
User = Annotated[str, typer.Option(help="User, such as user_alice.", metavar="ID")]


@contextmanager
def open_database(database_url: str | None) -> Iterator[settings.Settings]:
    """The settings, while the database that they name is open; it has the newest tables. Raises CommandError."""
    from ops import database_setup

    chosen = settings.typed(database_url=database_url)
    with database_setup.open_database(chosen.database_url, prepared_statements=chosen.prepared_statements):
        yield chosen


def demo_file(chosen: settings.Settings) -> Path:
    """Where the keys of the demo are kept between two starts."""
    from ops import database_setup

    return database_setup.folder(chosen.database_url, Path("var")) / "demo-keys.json"
