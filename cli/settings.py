"""The command that lists the settings."""

import typer

import settings
from cli.options import AsJson
from ops import output

group = typer.Typer()


@group.command("settings")
def list_settings(as_json: AsJson = False) -> None:
    """List the settings, which are environment variables.

    A pipe and --json get the defaults too.
    """
    columns = ("variable", "default", "value", "meaning")
    rows = [dict(zip(columns, row, strict=True)) for row in settings.describe(settings.with_options())]
    output.show(columns, rows, as_json, on_terminal=("variable", "value", "meaning"))
