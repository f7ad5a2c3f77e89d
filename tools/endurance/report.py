"""Figures with their limits and verdicts, printed as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One measured value, its limit, and whether it is kept."""

    what: str
    database: str
    measured: str
    promised: str
    kept: bool


def at_most(what: str, database: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure with a maximum."""
    return Figure(what, database, f"{value:.3g}{unit}", f"<= {limit:g}{unit}", value <= limit)


def exactly(what: str, database: str, value: object, wanted: object) -> Figure:
    """A figure with an exact value."""
    return Figure(what, database, str(value), str(wanted), value == wanted)


def show(figures: Sequence[Figure], console: Console) -> None:
    """Prints the figures as a table."""
    table = Table("What", "Database", "Measured", "Promised", "", box=None, pad_edge=False, header_style="bold")
    for figure in figures:
        table.add_row(*figure[:4], "kept" if figure.kept else "[bold red]MISSED[/]")
    console.print(table)
