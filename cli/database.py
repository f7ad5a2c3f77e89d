"""The commands for the whole database: migrate, distribute, demo, backup and restore."""

from pathlib import Path
from typing import Annotated, Any

import typer

import settings
from cli.opening import add_demo_audio, demo_file
from cli.options import AsJson, Database, open_database, report
from ops import output
from ops.errors import CommandError
from web.redaction import mask_url

group = typer.Typer()

RevokeSince = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Revoke again the keys that were revoked since then, such as 2026-11-29T10:00Z."),
]
AudioFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of `backup --audio`, from which missing audio is copied back."),
]


@group.command()
def migrate(as_json: AsJson = False, database_url: Database = None) -> None:
    """Create or update the database tables."""
    from ops import database_setup, schema

    url = settings.with_options(database_url=database_url).database_url
    database_setup.migrate_database(url)
    facts = {"database_url": mask_url(url), "revision": schema.revision()}
    report(as_json, facts, "The database is up to date.")


@group.command()
def distribute(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL, and change nothing.")] = False,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Spread the tables over the nodes of a Citus cluster.

    Run it on the coordinator after `migrate`, when the nodes are added. Each organization's rows are then on one node,
    and small tables have a copy on every node. It is one transaction, which also moves rows that exist: stop the
    servers first. Tables that are placed already are left alone, so it may be run again. From then on `migrate` places
    new tables itself.
    """
    from ops import distribution

    url = settings.with_options(database_url=database_url).database_url
    with output.progress_bar("Distributing") as progress:
        statements = distribution.distribute(url, progress, dry_run=dry_run)
    if as_json:
        output.show_json({"database_url": mask_url(url), "dry_run": dry_run, "statements": statements})
    elif dry_run:
        output.echo(*distribution.script(statements))
    else:
        output.echo(distribution.sentence(statements), err=True)


@group.command()
def demo(as_json: AsJson = False, database_url: Database = None) -> None:
    """Load the demo data and print new keys.

    The demo data is that of the API's reference page, with a key for each of three users. The engines make the music of
    its tracks when it is first loaded, or with MUSIC_STUDIO_DEMO_AUDIO=tone each gets a tone at once. A second run
    restores the page's collection and replaces the demo's keys; it keeps what else the demo's users have created. A
    database with other data is refused.
    """
    with open_database(database_url) as chosen:
        from ops import demo as rows
        from ops import demo_keys

        pepper = settings.pepper(chosen)
        rows.load(pepper)
        add_demo_audio(chosen)
        printed = demo_keys.renew(demo_file(chosen), pepper)
        if as_json:
            output.show_json(printed)
        else:
            output.show(("user_id", "organization_id", "api_key"), list(printed["users"].values()), as_json)


@group.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write; an existing file is refused.")],
    audio: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to copy the audio of the tracks to; what it has is not copied again."),
    ] = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Copy the SQLite database to a new file.

    The server may run meanwhile. The copy is the database at one moment.
    """
    from ops import audio_backup
    from ops import backup as copies
    from ops.audio import facts as audio_facts

    chosen = settings.with_options(database_url=database_url)
    url = chosen.database_url
    with output.progress_bar("Copying") as progress:
        copies.save(url, file, progress)
    facts = {"file": str(file), "bytes": file.stat().st_size, "database_url": mask_url(url), "audio": None}
    sentences = [f"Backup written to {file}. Keep the key pepper with it: no API key works without."]
    if audio is None:
        sentences.append("Audio is not in it: name a folder with --audio.")
    else:
        with output.progress_bar("Copying audio") as progress:
            copied = audio_backup.save(settings.audio_url(chosen), audio, copies.live_audio(file), progress)
        facts["audio"] = audio_facts(copied)
        sentences += audio_backup.saved_sentences(copied, audio)
    report(as_json, facts, *sentences)


@group.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `music-studio backup` has written.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a database that holds data.")] = False,
    audio: AudioFolder = None,
    revoke_since: RevokeSince = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Replace the SQLite database with a backup.

    The server must be stopped. A database that holds data is replaced only with --force, and only after a copy of the
    backup was verified and updated. Keys that were revoked after the backup work again, except with --revoke-since.
    Tracks whose audio the store does not have are listed.
    """
    from ops import after_restore, audio_backup, keys, schema
    from ops import restore as restoring

    audio_backup.require_folder(audio)
    url = settings.with_options(database_url=database_url).database_url
    since = None if revoke_since is None else after_restore.parse_time(revoke_since)
    with output.progress_bar("Restoring") as progress:
        result = restoring.restore(file, url, progress, keys.author("restore"), force=force, since=since)
    facts = {"file": str(file), "database_url": mask_url(url), "revision": schema.revision()}
    sentences = (f"The database was restored from {file}.", *after_restore.sentences(result))
    more_facts, more_sentences = _restored_audio(database_url, audio)
    report(as_json, facts | after_restore.facts(result) | more_facts, *sentences, *more_sentences)


def _restored_audio(database_url: str | None, folder: Path | None) -> tuple[dict[str, Any], list[str]]:
    """Facts and sentences about the audio of a restored database."""
    with open_database(database_url) as chosen, output.progress_bar("Copying audio") as progress:
        from ops import audio_backup

        restored = audio_backup.restore(settings.audio_url(chosen), folder, progress)
    return audio_backup.restored_facts(restored), audio_backup.restored_sentences(restored)


@group.command("after-restore")
def finish_restore(
    audio: AudioFolder = None,
    key_log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Output of `keys log --json` of the database that was replaced."),
    ] = None,
    revoke_since: RevokeSince = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Finish a restore that another tool has made.

    For PostgreSQL after pg_restore. Entity tags of the lost history match nothing any more. With --key-log, keys that
    were revoked after the backup are named, and with --revoke-since they are revoked again.
    """
    if revoke_since is not None and key_log is None:
        raise CommandError("Only a key log tells which keys were revoked: give --key-log too.")
    with open_database(database_url) as chosen:
        from ops import after_restore, audio_backup, keys

        audio_backup.require_folder(audio)
        events = None if key_log is None else after_restore.read_key_log(key_log)
        since = None if revoke_since is None else after_restore.parse_time(revoke_since)
        result = after_restore.finish(
            chosen.database_url, after_restore.LostHistory(events), since, keys.author("after-restore")
        )
        facts = {"database_url": mask_url(chosen.database_url), **after_restore.facts(result)}
        sentences = ("All collections have new versions.", *after_restore.sentences(result))
        more_facts, more_sentences = _restored_audio(database_url, audio)
        report(as_json, facts | more_facts, *sentences, *more_sentences)
