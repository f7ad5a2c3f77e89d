"""The commands for the audio store: check, clean and backup."""

from pathlib import Path
from typing import Annotated

import typer

import settings
from cli.options import AsJson, Database, named_group, open_database, report
from ops import output

group = named_group("Check, clean up and copy the audio store.")


@group.command("check")
def check_audio(as_json: AsJson = False, database_url: Database = None) -> None:
    """Compare the audio store with the tracks.

    Counts the tracks whose audio is missing, and the audio that no track names and that is old enough to be deleted.
    The exit status is 1 if audio is missing.
    """
    with open_database(database_url) as chosen:
        from ops import audio

        store = audio.open_store(settings.audio_url(chosen))
        store.require_writable()
        found = audio.check(store, chosen.audio_orphan_hours)
        report(as_json, audio.facts(found), *audio.check_sentences(found))
    if found.missing.total:
        raise typer.Exit(1)


@group.command("clean")
def clean_audio(
    everything: Annotated[
        bool, typer.Option("--all", help="Delete it even if that is more than half of the store.")
    ] = False,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Delete audio that no track names.

    A server does it every hour, with what is older than MUSIC_STUDIO_AUDIO_ORPHAN_HOURS. If most of the store would go,
    it is perhaps the store of another database, and nothing is deleted without --all.
    """
    with open_database(database_url) as chosen:
        from ops import audio

        store = audio.open_store(settings.audio_url(chosen))
        cleaned = audio.clean(store, chosen.audio_orphan_hours, everything=everything)
        report(as_json, audio.facts(cleaned), audio.cleaned_sentence(cleaned))
    if cleaned.kept:
        raise typer.Exit(1)


@group.command("backup")
def back_up_audio(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to copy to; what it has is not copied again.")],
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Copy the audio of all tracks to a folder.

    For PostgreSQL, after pg_dump; `backup --audio` does it for SQLite. `restore` and `after-restore` copy it back.
    """
    with open_database(database_url) as chosen, output.progress_bar("Copying audio") as progress:
        from ops import audio, audio_backup

        copied = audio_backup.save_all(settings.audio_url(chosen), folder, progress)
    report(as_json, audio.facts(copied), *audio_backup.saved_sentences(copied, folder))
