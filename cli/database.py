"""The commands for the database as a whole: migrate, backup, restore and demo."""

from pathlib import Path
from typing import Annotated

import typer

import settings
from cli.options import LOOK, AsJson, Database, demo_file, open_database
from ops import output

group = typer.Typer(**LOOK)


@group.command()
def migrate(database_url: Database = None) -> None:
    """Make or update the database's tables."""
    from ops import database_setup

    database_setup.migrate_database(settings.typed(database_url=database_url).database_url)
    typer.echo("The database is up to date.", err=True)


@group.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write; it must not exist yet.")],
    database_url: Database = None,
) -> None:
    """Copy the SQLite database to a new file, also while it is served."""
    from ops import backup as copies

    with copies.bar("Copying") as tell:
        copies.save(settings.typed(database_url=database_url).database_url, file, tell)
    typer.echo(f"Written: {file}. Keep the key pepper with it: no API key works without.", err=True)


@group.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` has written.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a database that holds data.")] = False,
    database_url: Database = None,
) -> None:
    """Put a backup in the place of the SQLite database.

    The server must be stopped. A database that holds data is replaced only with --force. The tables are brought up to
    date afterwards.
    """
    from ops import backup as copies
    from ops import database_setup

    url = settings.typed(database_url=database_url).database_url
    with copies.bar("Restoring") as tell:
        copies.restore(file, url, tell, force=force)
    database_setup.migrate_database(url)
    typer.echo(f"The database is what it was when {file} was written.", err=True)


@group.command()
def demo(as_json: AsJson = False, database_url: Database = None) -> None:
    """Load the demo and print fresh keys.

    The demo is what the API's reference page shows, with a key for each of three users. Run again, it puts the page's
    collection back as it was and replaces the demo's keys; what else the demo's users have made stays. A database with
    other data is refused.
    """
    chosen = open_database(database_url)
    from ops import demo as rows
    from ops import demo_keys

    rows.load()
    printed = demo_keys.renew(demo_file(chosen), settings.pepper(chosen))
    if as_json:
        output.show_json(printed)
    else:
        output.show(("user_id", "organization_id", "api_key"), list(printed["users"].values()), as_json)
