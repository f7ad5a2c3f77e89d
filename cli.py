"""What an operator types: serve, migrate, backup, restore, demo, keys, tracks and settings."""

import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import settings
from ops import screen
from ops.refusal import Refusal

LOOK: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich" if sys.stdout.isatty() else None,
}
cli = typer.Typer(help="Runs and looks after a Music Studio server.", **LOOK)
keys_cli = typer.Typer(help="API keys: make, list, pause, resume, revoke.", **LOOK)
tracks_cli = typer.Typer(help="Tracks: import audio files, list.", **LOOK)
cli.add_typer(keys_cli, name="keys")
cli.add_typer(tracks_cli, name="tracks")

Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; else MUSIC_STUDIO_DATABASE_URL."),
]
Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="To listen on; else MUSIC_STUDIO_HOST.")]
Port = Annotated[int | None, typer.Option(metavar="N", help="0 takes a free one; else MUSIC_STUDIO_PORT.")]
Workers = Annotated[int | None, typer.Option(metavar="N", help="Processes; else MUSIC_STUDIO_WORKERS.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Organization = Annotated[str, typer.Option(help="Organization, such as org_abc123.", metavar="ID")]
User = Annotated[str, typer.Option(help="User, such as user_alice.", metavar="ID")]
Scopes = Annotated[list[str] | None, typer.Option(metavar="SCOPE", help="music:read or music:write, or both.")]
Days = Annotated[int, typer.Option(min=1, max=3650, metavar="N", help="How long the key works.")]
KeyId = Annotated[str, typer.Argument(help="The key's id, mkey_...; never the key itself.", metavar="KEY_ID")]


@cli.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None, database_url: Database = None) -> None:
    """Serve the API until it is stopped."""
    _serve(settings.typed(host=host, port=port, workers=workers, database_url=database_url), prepare=False)


@cli.command()
def up(host: Host = None, port: Port = None, workers: Workers = None, database_url: Database = None) -> None:
    """Migrate, load the demo, say how to try it, serve.

    The demo goes into an empty database only; one with other data is served as it is.
    """
    _serve(settings.typed(host=host, port=port, workers=workers, database_url=database_url), prepare=True)


@cli.command()
def migrate(database_url: Database = None) -> None:
    """Make or update the database's tables."""
    from ops import storage

    storage.migrate_database(settings.typed(database_url=database_url).database_url)
    typer.echo("The database is up to date.", err=True)


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write; it must not exist yet.")],
    database_url: Database = None,
) -> None:
    """Copy the SQLite database to a new file, also while it is served."""
    from ops import backup as copies

    with copies.bar("Copying") as tell:
        copies.save(settings.typed(database_url=database_url).database_url, file, tell)
    typer.echo(f"Written: {file}. Keep the key pepper with it: no API key works without.", err=True)


@cli.command()
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
    from ops import storage

    url = settings.typed(database_url=database_url).database_url
    with copies.bar("Restoring") as tell:
        copies.restore(file, url, tell, force=force)
    storage.migrate_database(url)
    typer.echo(f"The database is what it was when {file} was written.", err=True)


@cli.command()
def demo(as_json: AsJson = False, database_url: Database = None) -> None:
    """Load the demo and print fresh keys.

    The demo is what the API's reference page shows, with a key for each of three users. Run again, it puts the page's
    collection back as it was and replaces the demo's keys; what else the demo's users have made stays. A database with
    other data is refused.
    """
    chosen = _open(database_url)
    from ops import demo as rows
    from ops import demo_keys

    rows.load()
    printed = demo_keys.renew(_demo_file(chosen), settings.pepper(chosen))
    if as_json:
        screen.show_json(printed)
    else:
        screen.show(("user_id", "organization_id", "api_key"), list(printed["users"].values()), as_json)


@keys_cli.command("create")
def create_key(
    organization: Organization,
    user: User,
    scope: Annotated[
        list[str] | None, typer.Option(help="music:read or music:write; can be given twice.", metavar="SCOPE")
    ] = None,
    expires_in_days: Annotated[int, typer.Option(min=1, max=3650, metavar="N", help="1 to 3650 days.")] = 90,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="It works until it is revoked.")] = False,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Make a key, which is printed this once.

    Its organization and user are made when they are new. Without --scope it may do everything; without
    --expires-in-days it works for 90 days, because a forgotten key should not work for ever.
    """
    chosen = _open(database_url)
    from ops import keys

    days = None if never_expires else expires_in_days
    made, secret = keys.create(organization, user, scope or (), days, settings.pepper(chosen))
    if as_json:
        screen.show_json(made | {"api_key": secret})
    else:
        typer.echo(f"{made['id']}, expires: {made['expires_at'] or 'never'}. The key is shown only now:", err=True)
        typer.echo(secret)


@keys_cli.command("list")
def list_keys(
    organization: Annotated[str | None, typer.Option(help="Only the keys of this organization.", metavar="ID")] = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """List the keys by id, without their secrets."""
    _open(database_url)
    from ops import keys

    screen.show(keys.COLUMNS, keys.listed(organization), as_json)


def _changing(action: str) -> Callable[..., None]:
    def change_key(key_id: KeyId, as_json: AsJson = False, database_url: Database = None) -> None:
        _open(database_url)
        from ops import keys

        screen.show(keys.COLUMNS, [keys.change(key_id, action)], as_json)

    return change_key


keys_cli.command("pause", help="Refuse a key until it is resumed.")(_changing("pause"))
keys_cli.command("resume", help="Let a paused key work again.")(_changing("resume"))
keys_cli.command("revoke", help="End a key for good.")(_changing("revoke"))


@tracks_cli.command("import")
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
    _open(database_url)
    from ops import importer, keys

    keys.join(organization, user)
    paths = importer.files(folder)
    report = importer.Report()
    for path in screen.progress(paths, len(paths), "Importing"):
        importer.take(organization, user, path, report)
    if as_json:
        screen.show_json(dataclasses.asdict(report))
    else:
        typer.echo("\n".join(importer.lines(report)))


@tracks_cli.command("list")
def list_tracks(organization: Organization, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the tracks of an organization, oldest first."""
    _open(database_url)
    from ops import importer

    screen.show(importer.COLUMNS, importer.listed(organization), as_json)


@cli.command("settings")
def list_settings(as_json: AsJson = False) -> None:
    """List the environment variables and what they do."""
    columns = ("variable", "default", "value", "meaning")
    rows = [dict(zip(columns, row, strict=True)) for row in settings.describe(settings.typed())]
    screen.show(columns, [row | {"value": screen.without_password(row["value"])} for row in rows], as_json)


def main() -> None:
    """Run the command that was typed; what an operator can mend is one sentence and exit status 1."""
    try:
        cli()
    except (Refusal, settings.BadSetting) as reason:
        _give_up(str(reason))
    except OSError as problem:
        _give_up(f"Cannot use {problem.filename}: {problem.strerror}." if problem.filename else f"{problem}.")


def _give_up(sentence: str) -> NoReturn:
    typer.echo(f"cli.py: {sentence}", err=True)
    sys.exit(1)


def _open(database_url: str | None) -> settings.Settings:
    from ops import storage

    chosen = settings.typed(database_url=database_url)
    storage.open_database(chosen.database_url, prepare=chosen.database_prepare)
    return chosen


def _demo_file(chosen: settings.Settings) -> Path:
    from ops import storage

    return storage.folder(chosen.database_url, Path("var")) / "demo-keys.json"


def _serve(chosen: settings.Settings, *, prepare: bool) -> NoReturn:
    from ops import serving, sockets, storage, welcome

    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    if prepare:
        storage.migrate_database(chosen.database_url)
    storage.open_database(chosen.database_url, prepare=chosen.database_prepare)
    pepper = settings.pepper(chosen)  # made here, not by several workers at the same time
    if prepare:
        typer.echo("\n".join(welcome.lines(url, _demo_file(chosen), pepper)))
    announce = partial(typer.echo, f"Music Studio listens on {url}", err=True)
    if chosen.workers > 1:
        raise typer.Exit(serving.supervise(opened, chosen.workers, chosen.grace_seconds, announce))
    import app

    raise typer.Exit(serving.serve(app.from_environment(), opened, chosen.grace_seconds, announce))


if __name__ == "__main__":
    main()
