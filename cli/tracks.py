"""The commands for tracks: import and list."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Database, Organization, User, named_group, open_database
from ops import output

group = named_group("Import and list tracks.")


@group.command("import")
def import_tracks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of audio files; its subfolders are included.")],
    organization: Organization,
    user: User,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Import a folder of audio files as tracks.

    Titles and durations come from the files. The organization and the user are created if they do not exist. A file
    whose bytes were imported before is not added again. A file whose tags take more than 10 s or 256 MiB is skipped.
    """
    with open_database(database_url):
        from ops import importer, keys
        from ops.tag_reader import TagReader

        paths = importer.files(folder)
        keys.join(organization, user)
        report = importer.Report()
        with TagReader() as reader:
            for path in output.progress(paths, len(paths), "Importing"):
                importer.import_file(organization, user, path, reader, report)
        if as_json:
            output.show_json(dataclasses.asdict(report))
        else:
            output.echo(*importer.lines(report))


@group.command("list")
def list_tracks(organization: Organization, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the tracks of an organization, oldest first."""
    with open_database(database_url):
        from ops import importer

        output.show(importer.COLUMNS, importer.listed(organization), as_json)
