"""What an operator sees: tables and bars on a terminal, plain columns in a pipe, JSON when asked for."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

Step = TypeVar("Step")


def show_json(value: object) -> None:
    """Print `value` as JSON; times become ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=text) + "\n")


def show(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print the rows: as JSON, as a table on a terminal, else one line each with tabs between the columns."""
    cells = [[text(row[column]) for column in columns] for row in rows]
    headings = [column.upper() for column in columns]
    if as_json:
        show_json(rows)
    elif sys.stdout.isatty():
        _draw(headings, cells)
    else:
        sys.stdout.writelines("\t".join(line) + "\n" for line in [headings, *cells])


def progress(steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
    """The same steps, with a bar on stderr while they are taken when that is a terminal."""
    if not sys.stderr.isatty():
        yield from steps
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(steps, description=label, total=total, console=Console(stderr=True))


def text(value: object) -> str:
    """Text for a cell: a dash for nothing, whole seconds of UTC for a time, blanks between the items of a list."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value is None or value == "" else str(value)


def without_password(address: str) -> str:
    """A database address that may be shown."""
    return re.sub("(://[^:/@]*:)[^/]*@", r"\1***@", address)


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        # Text, not str: a title in square brackets is no markup.
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(table)
