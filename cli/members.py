"""The commands for members of an organization: list, add and remove."""

from typing import Annotated

import typer

from cli.options import AsJson, Database, OrganizationId, named_group, open_database, report
from ops import output

group = named_group("List, add and remove members of organizations.")

UserId = Annotated[str, typer.Argument(metavar="USER", help="User, such as user_alice.")]


@group.command("list")
def list_members(
    organization: OrganizationId,
    removed: Annotated[bool, typer.Option("--removed", help="Former members too.")] = False,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """List the members of an organization."""
    with open_database(database_url):
        from ops import members

        output.show(members.COLUMNS, members.listed(organization, removed=removed), as_json)


@group.command("add")
def add_member(
    organization: OrganizationId, user: UserId, as_json: AsJson = False, database_url: Database = None
) -> None:
    """Make a user a member of an organization.

    The organization is created if it does not exist. A former member finds collections, library and jobs again; keys
    that were revoked stay revoked.
    """
    with open_database(database_url):
        from ops import members

        added = members.add(organization, user)
        report(as_json, added, f"{user} is a member of {organization}.")


@group.command("remove")
def remove_member(
    organization: OrganizationId, user: UserId, as_json: AsJson = False, database_url: Database = None
) -> None:
    """End the membership of a user.

    Every later request of the user for the organization is refused: keys are revoked, and tokens do not open it any
    more. Queued and running jobs are cancelled and cost nothing. Tracks stay with the organization, in its collections,
    and are heard by whoever has saved them. Repeat the command if it was interrupted.
    """
    with open_database(database_url):
        from ops import keys, members

        removed = members.remove(organization, user, keys.author("members remove"))
        report(as_json, removed, *members.sentences(removed))
