"""The commands for API keys: create, rotate, list, log, pause, resume and revoke."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import settings
from cli.options import LOOK, AsJson, Database, Organization, User, open_database
from ops import output as screen

group = typer.Typer(help="API keys: make, rotate, list, pause, resume, revoke, and their log.", **LOOK)

KeyId = Annotated[str, typer.Argument(help="The key's id, mkey_...; never the key itself.", metavar="KEY_ID")]
Only = Annotated[str | None, typer.Option("--organization", help="Only those of this organization.", metavar="ID")]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the key to a new file for its owner's eyes, and do not print it."),
]


@group.command("create")
def create_key(
    organization: Organization,
    user: User,
    scope: Annotated[
        list[str] | None, typer.Option(help="music:read or music:write; can be given twice.", metavar="SCOPE")
    ] = None,
    expires_in_days: Annotated[int, typer.Option(min=1, max=3650, metavar="N", help="1 to 3650 days.")] = 90,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="It works until it is revoked.")] = False,
    rate_limit: Annotated[
        str | None, typer.Option(metavar="LIMIT", help="Such as 500/minute, or off; else the server's own limit.")
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Make a key, which is printed this once.

    Its organization and user are made when they are new. Without --scope it may do everything; without
    --expires-in-days it works for 90 days, because a forgotten key should not work for ever.
    """
    chosen = open_database(database_url)
    from ops import keys, secret_file

    days, by = None if never_expires else expires_in_days, keys.author("keys create")
    with secret_file.write(output) as hand:
        made, secret = keys.create(
            organization, user, scope or (), days, settings.pepper(chosen), rate_limit=rate_limit, by=by
        )
        hand(secret)
    _show_secret({}, made, secret, output, as_json)


@group.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long both keys work, such as 30m, 24h or 7d; 0s ends it now.")
    ] = "24h",
    expires_in_days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, metavar="N", help="How long the new key works; else as long as the former."),
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Put a new key in the place of one that is in use, without a gap.

    The new key has the same user, scopes and limit, and is printed this once. Both keys work until the overlap is
    over; then the former has expired.
    """
    chosen = open_database(database_url)
    from ops import keys, secret_file

    with secret_file.write(output) as hand:
        former, made, secret = keys.rotate(
            key_id, overlap, expires_in_days, settings.pepper(chosen), keys.author("keys rotate")
        )
        hand(secret)
    if not as_json:
        typer.echo(f"{key_id} is replaced by {made['id']}.", err=True)
        typer.echo(f"Both work until {screen.text(former['expires_at'])}; then {key_id} has expired.", err=True)
    _show_secret({"replaced": former}, made, secret, output, as_json)


@group.command("list")
def list_keys(organization: Only = None, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the keys by id, without their secrets."""
    open_database(database_url)
    from ops import keys

    screen.show(keys.COLUMNS, keys.listed(organization), as_json)


@group.command("log")
def list_events(organization: Only = None, as_json: AsJson = False, database_url: Database = None) -> None:
    """List what became of the keys, when, and who did it, oldest first."""
    open_database(database_url)
    from ops import keys

    screen.show(keys.EVENT_COLUMNS, keys.events(organization), as_json)


def _changing(action: str) -> Callable[..., None]:
    def change_key(key_id: KeyId, as_json: AsJson = False, database_url: Database = None) -> None:
        open_database(database_url)
        from ops import keys

        changed = keys.change(key_id, action, keys.author(f"keys {action}"))
        screen.show(keys.COLUMNS, [changed], as_json)

    return change_key


group.command("pause", help="Refuse a key until it is resumed.")(_changing("pause"))
group.command("resume", help="Let a paused key work again.")(_changing("resume"))
group.command("revoke", help="End a key for good.")(_changing("revoke"))


def _show_secret(
    more: Mapping[str, Any], made: Mapping[str, Any], secret: str, output: Path | None, as_json: bool
) -> None:
    where = {"api_key": secret} if output is None else {"file": str(output)}
    if as_json:
        screen.show_json({**made, **where, **more})
        return
    told = "The key is shown only now:" if output is None else f"The key is in {output}, which only you can read."
    typer.echo(f"{made['id']}, expires: {screen.text(made['expires_at'] or 'never')}. {told}", err=True)
    if output is None:
        typer.echo(secret)
