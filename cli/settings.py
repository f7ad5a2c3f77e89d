"""The command that lists the settings."""

import typer

import settings
from cli.options import LOOK, AsJson
from ops import output

group = typer.Typer(**LOOK)


@group.command("settings")
def list_settings(as_json: AsJson = False) -> None:
    """List the environment variables and what they do."""
    columns = ("variable", "default", "value", "meaning")
    rows = [dict(zip(columns, row, strict=True)) for row in settings.describe(settings.typed())]
    output.show(columns, [row | {"value": output.without_password(row["value"])} for row in rows], as_json)
