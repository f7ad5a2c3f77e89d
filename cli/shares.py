"""The commands for share links: list and revoke."""

from typing import Annotated

import typer

from cli.options import AsJson, Database, named_group, open_database
from ops import output

group = named_group("List and revoke share links.")

OfOrganization = Annotated[
    str | None, typer.Option("--organization", help="Only the links of this organization.", metavar="ID")
]
OfUser = Annotated[str | None, typer.Option("--user", help="Only the links of this user.", metavar="ID")]


@group.command("list")
def list_links(
    organization: OfOrganization = None, user: OfUser = None, as_json: AsJson = False, database_url: Database = None
) -> None:
    """List the share links, oldest first, without their tokens.

    A terminal shows the most important columns; a pipe and --json get all of them.
    """
    with open_database(database_url):
        from ops import shares

        output.show(shares.COLUMNS, shares.listed(organization, user), as_json, on_terminal=shares.BRIEF_COLUMNS)


@group.command()
def revoke(
    share_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of links, mslink_...; never their tokens.", metavar="LINK_ID...")
    ] = None,
    organization: OfOrganization = None,
    user: OfUser = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Revoke share links, or all links of a user.

    A revoked link opens nothing any more. Who has saved a track from it keeps the track.
    """
    with open_database(database_url):
        from ops import shares

        revoked = shares.revoke(share_ids or [], organization, user)
        output.show(shares.COLUMNS, revoked, as_json, on_terminal=shares.BRIEF_COLUMNS)
