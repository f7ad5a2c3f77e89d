"""The commands for tracks: import and list."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Database, Organization, User, named_group, open_audio_store, open_database
from ops import output

if TYPE_CHECKING:
    from ops.importer import Report

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

    MP3, FLAC, Ogg Vorbis, Opus, WAV and M4A are copied into the audio store; each file is decoded first, which gives
    its duration and shows that it is audio. Titles come from tags, or from file names. What is no audio, is damaged or
    takes too long is skipped with the reason. The organization and the user are created if they do not exist. A file
    that was imported before is not added again, so an import that was interrupted can be repeated.
    """
    with open_database(database_url) as chosen, TemporaryDirectory(prefix="music-studio-") as temporary:
        from ops import audio_files, importer, keys
        from ops.audio_reader import AudioReader

        paths = audio_files.find(folder)
        store = open_audio_store(chosen)
        keys.join(organization, user)
        with AudioReader() as reader:
            limit = chosen.organization_audio_mib
            importing = importer.Importer(organization, user, store, reader, Path(temporary), limit)
            try:
                for path in output.progress(paths, len(paths), "Importing"):
                    importing.add(path)
            finally:
                _show(importing.report, as_json)


def _show(report: "Report", as_json: bool) -> None:
    """What was done, also by an import that ends early."""
    if as_json:
        output.show_json(report.facts())
    else:
        output.echo(*report.lines())


@group.command("list")
def list_tracks(organization: Organization, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the tracks of an organization, oldest first."""
    with open_database(database_url):
        from ops import importer

        output.show(importer.COLUMNS, importer.listed(organization), as_json)
