"""The commands that describe an installation: its settings and its version."""

import platform
from dataclasses import MISSING, fields
from typing import Any

import typer

import settings
from cli.options import AsJson
from cli.version import version
from ops import output
from web.redaction import MASK, mask_url

group = typer.Typer()


@group.command("settings")
def list_settings(as_json: AsJson = False) -> None:
    """List the settings, which are environment variables.

    A pipe and --json get the defaults too.
    """
    columns = ("variable", "default", "value", "meaning")
    rows = [dict(zip(columns, row, strict=True)) for row in describe(settings.with_options())]
    output.show(columns, rows, as_json, on_terminal=("variable", "value", "meaning"))


@group.command("version")
def show_version(as_json: AsJson = False) -> None:
    """Print the version of the program and of Python."""
    facts = {"version": version(), "python": platform.python_version()}
    if as_json:
        output.show_json(facts)
    else:
        output.echo(f"music-studio {facts['version']} (Python {facts['python']})")


def describe(chosen: settings.Settings | None = None) -> list[tuple[str, str, str, str]]:
    """(variable, default, value, meaning) of each setting; secrets are masked."""
    chosen = chosen or settings.Settings()
    return [
        (
            settings.variable(f),
            _shown(f.default, False),
            _shown(getattr(chosen, f.name), f.metadata["is_secret"]),
            f.metadata["meaning"],
        )
        for f in fields(settings.Settings)
        if f.default is not MISSING
    ]


def _shown(value: Any, is_secret: bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if is_secret and value:
        return MASK
    return " ".join(map(mask_url, value)) if isinstance(value, tuple) else mask_url(str(value))
