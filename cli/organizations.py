"""The commands for organizations: spending limits, export and deletion; and the report of what was used."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Database, OrganizationId, named_group, open_database, report
from ops import output
from ops.errors import CommandError
from settings import audio_url

group = named_group("Limit, export and delete organizations.")
reports = typer.Typer()

Amount = Annotated[str | None, typer.Option(metavar="CHF", help="Swiss francs, such as 10 or 2.50, or none.")]
Day = Annotated[str | None, typer.Option(metavar="DAY", help="Day in UTC, such as 2026-11-30.")]


@group.command()
def limit(
    organization: OrganizationId,
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


@group.command()
def export(
    organization: OrganizationId,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder to write to.")],
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Write an organization into a folder.

    Its rows as JSON Lines, a file for each table; its audio; and manifest.json with the SHA-256 digest of every file,
    which is written last. Digests of secrets are left out. The server may run meanwhile.
    """
    with open_database(database_url) as chosen:
        from ops import audio, organization_export

        store = audio.open_store(audio_url(chosen))
        exported = organization_export.Export(organization, folder)
        with organization_export.explained(folder):
            with output.progress_bar("Exporting rows") as progress:
                exported.write_rows(progress)
            with output.progress_bar("Copying audio") as progress:
                exported.copy_audio(store, progress)
            facts = exported.finish()
        report(as_json, facts, *organization_export.sentences(facts))


@group.command()
def delete(
    organization: OrganizationId,
    yes: Annotated[
        str | None, typer.Option("--yes", metavar="ORG", help="The id again, instead of the question.")
    ] = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Delete an organization with everything that it has.

    Its members lose access first; then rows, jobs and audio are deleted in batches, also what other organizations have
    saved of it. That cannot be undone. Repeat the command if it was interrupted.
    """
    with open_database(database_url) as chosen:
        from ops import audio, keys, organization_deletion

        question = organization_deletion.question(organization)
        if _confirmed(question, yes) != organization:
            raise CommandError(f"That is not {organization}: nothing was deleted.")
        store, by = audio.open_store(audio_url(chosen)), keys.author("organizations delete")
        with output.progress_bar("Deleting") as progress:
            facts = organization_deletion.delete(organization, store, by, progress)
        report(as_json, facts, organization_deletion.sentence(facts))


def _confirmed(question: str, answer: str | None) -> str:
    """The id that was given or is typed now. Raises CommandError if nobody can be asked."""
    if answer is not None:
        return answer
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked without a terminal: give the id again with --yes.")
    return str(typer.prompt(question, err=True))


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
