"""What was measured, what was promised, and whether it was kept: a table in the end, a bar on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One promise; `kept` is the verdict."""

    what: str
    database: str
    measured: str
    promised: str
    kept: bool


def at_most(what: str, database: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must not be above its limit."""
    return Figure(what, database, f"{value:.3g}{unit}", f"<= {limit:g}{unit}", value <= limit)


def exactly(what: str, database: str, value: object, wanted: object) -> Figure:
    """A figure that must be just so."""
    return Figure(what, database, str(value), str(wanted), value == wanted)


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print them as a table."""
    table = Table("What", "Database", "Measured", "Promised", "", box=None, pad_edge=False, header_style="bold")
    for figure in figures:
        table.add_row(*figure[:4], "kept" if figure.kept else "[bold red]MISSED[/]")
    console.print(table)
