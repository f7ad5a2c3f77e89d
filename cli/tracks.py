"""The commands for tracks: import and list."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from cli.options import LOOK, AsJson, Database, Organization, User, open_database
from ops import output

group = typer.Typer(help="Tracks: import audio files, list.", **LOOK)


@group.command("import")
def import_tracks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of audio files, with all folders below it.")],
    organization: Organization,
    user: User,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Make tracks of a folder of audio files.

    Titles and durations come from the files, and organization and user are made when they are new. A file that is
    there already, byte for byte, is not added again: importing twice adds nothing.
    """
    open_database(database_url)
    from ops import importer, keys

    keys.join(organization, user)
    paths = importer.files(folder)
    report = importer.Report()
    for path in output.progress(paths, len(paths), "Importing"):
        importer.import_file(organization, user, path, report)
    if as_json:
        output.show_json(dataclasses.asdict(report))
    else:
        typer.echo("\n".join(importer.lines(report)))


@group.command("list")
def list_tracks(organization: Organization, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the tracks of an organization, oldest first."""
    open_database(database_url)
    from ops import importer

    output.show(importer.COLUMNS, importer.listed(organization), as_json)
