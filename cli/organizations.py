"""The commands for organizations: spending limits; and the report of what was used."""

from typing import Annotated

import typer

from cli.options import AsJson, Database, named_group, open_database
from ops import output
from ops.errors import CommandError

group = named_group("Limit what organizations spend.")
reports = typer.Typer()

Amount = Annotated[str | None, typer.Option(metavar="CHF", help="Swiss francs, such as 10 or 2.50, or none.")]
Day = Annotated[str | None, typer.Option(metavar="DAY", help="Day in UTC, such as 2026-11-30.")]


@group.command()
def limit(
    organization: Annotated[str, typer.Argument(metavar="ID", help="Organization, such as org_abc123.")],
    day: Amount = None,
    week: Amount = None,
    month: Amount = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Set or show the spending limits of an organization.

    They are for a day, a week from Monday and a month, in UTC.

    A request that would pass a limit is refused until the next window begins. What was spent before counts.
    """
    with open_database(database_url):
        from ops import spending

        rows = spending.limit(organization, {"day": day, "week": week, "month": month})
        output.show(spending.LIMIT_COLUMNS, rows, as_json)


@reports.command()
def usage(
    since: Day = None,
    until: Day = None,
    organization: Annotated[str | None, typer.Option(metavar="ID", help="Only this organization.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Report tracks, seconds and cost of music.

    By organization, user and engine: of this month, or from one day until another.

    The last day does not belong to the report. Jobs that ended without a track cost nothing. Jobs are kept for 90 days.
    """
    if as_csv and as_json:
        raise CommandError("Give --csv or --json, not both.")
    with open_database(database_url):
        from ops import spending

        rows = spending.report(since, until, organization)
        if as_csv:
            output.show_csv(spending.USAGE_COLUMNS, rows)
        else:
            output.show(spending.USAGE_COLUMNS, rows, as_json)
