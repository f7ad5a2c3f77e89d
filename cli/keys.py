"""The commands for API keys: create, rotate, list, log, pause, resume and revoke."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import settings
from cli.options import AsJson, Database, Organization, User, named_group, open_database
from ops import output as screen
from ops.errors import CommandError

# A forgotten key should not work for ever.
DEFAULT_DAYS = 90

group = named_group("Create, rotate, list, pause, resume and revoke API keys.")

KeyId = Annotated[str, typer.Argument(help="Id of the key, mkey_...; never the key itself.", metavar="KEY_ID")]
Only = Annotated[str | None, typer.Option("--organization", help="Only the keys of this organization.", metavar="ID")]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="New file for the key, readable by its owner only; nothing is printed."),
]


@group.command("create")
def create_key(
    organization: Organization,
    user: User,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="music:read or music:write; repeat the option for both. Default: both.", metavar="SCOPE"),
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=3650, metavar="N", help="Days until the key expires. Default: 90.")
    ] = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="The key works until it is revoked.")] = False,
    rate_limit: Annotated[
        str | None,
        typer.Option(
            metavar="LIMIT", help="Rate limit of the key, such as 500/minute, or off. Default: the limit of the server."
        ),
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Create a key and print it.

    The key cannot be shown again. The organization and the user are created if they do not exist.
    """
    if never_expires and expires_in_days is not None:
        raise CommandError("A key that never expires has no days: give --never-expires or --expires-in-days.")
    with open_database(database_url) as chosen:
        from ops import keys, secret_file

        days, by = None if never_expires else expires_in_days or DEFAULT_DAYS, keys.author("keys create")
        with secret_file.write(output) as write:
            made, secret = keys.create(
                organization, user, scope or (), days, settings.pepper(chosen), rate_limit=rate_limit, by=by
            )
            write(secret)
        _show_secret({}, made, secret, output, as_json)


@group.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Time during which both keys work, such as 30m, 24h or 7d; 0s ends the old key now."
        ),
    ] = "24h",
    expires_in_days: Annotated[
        int | None,
        typer.Option(
            min=1, max=3650, metavar="N", help="Days until the new key expires. Default: the lifetime of the old key."
        ),
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Replace a key with a new one, without a gap.

    The new key has the same user, scopes and rate limit. It is printed now and cannot be shown again. Both keys work
    during the overlap; then the old key expires.
    """
    with open_database(database_url) as chosen:
        from ops import keys, secret_file

        with secret_file.write(output) as write:
            former, made, secret = keys.rotate(
                key_id, overlap, expires_in_days, settings.pepper(chosen), keys.author("keys rotate")
            )
            write(secret)
        if not as_json:
            screen.echo(f"{key_id} is replaced by {made['id']}.", err=True)
            screen.echo(f"Both work until {screen.text(former['expires_at'])}; then {key_id} has expired.", err=True)
        _show_secret({"replaced": former}, made, secret, output, as_json)


@group.command("list")
def list_keys(organization: Only = None, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the keys, oldest first, without their secrets.

    A terminal shows the most important columns; a pipe and --json get all of them.
    """
    with open_database(database_url):
        from ops import keys

        screen.show(keys.COLUMNS, keys.listed(organization), as_json, on_terminal=keys.BRIEF_COLUMNS)


@group.command("log")
def list_events(organization: Only = None, as_json: AsJson = False, database_url: Database = None) -> None:
    """List the changes of keys, oldest first.

    Each entry has the time, the key, the change and its author.
    """
    with open_database(database_url):
        from ops import keys

        screen.show(keys.EVENT_COLUMNS, keys.events(organization), as_json, on_terminal=keys.BRIEF_EVENT_COLUMNS)


def _changing(action: str) -> Callable[..., None]:
    def change_key(key_id: KeyId, as_json: AsJson = False, database_url: Database = None) -> None:
        with open_database(database_url):
            from ops import keys

            changed = keys.change(key_id, action, keys.author(f"keys {action}"))
            screen.show(keys.COLUMNS, [changed], as_json, on_terminal=keys.BRIEF_COLUMNS)

    return change_key


group.command("pause", help="Refuse a key until it is resumed.")(_changing("pause"))
group.command("resume", help="Accept a paused key again.")(_changing("resume"))
group.command("revoke", help="Refuse a key for good.")(_changing("revoke"))


def _show_secret(
    more: Mapping[str, Any], made: Mapping[str, Any], secret: str, output: Path | None, as_json: bool
) -> None:
    where = {"api_key": secret} if output is None else {"file": str(output)}
    if as_json:
        screen.show_json({**made, **where, **more})
        return
    place = "The key is shown only now:" if output is None else f"The key is in {output}, which only you can read."
    screen.echo(f"{made['id']}, expires: {screen.text(made['expires_at'] or 'never')}. {place}", err=True)
    if output is None:
        screen.echo(secret)
