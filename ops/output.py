"""Output of commands: tables and progress bars on a terminal, tab-separated columns in a pipe, JSON on request."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

Step = TypeVar("Step")


def show_json(value: object) -> None:
    """Prints `value` as JSON and flushes; times become ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=text) + "\n")
    sys.stdout.flush()


def show(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    as_json: bool,
    *,
    on_terminal: Sequence[str] | None = None,
) -> None:
    """Prints rows: as JSON, as a table on a terminal, else one line per row with tabs between the columns.

    `on_terminal`: the columns of the table on a terminal, which has less space.
    """
    if as_json:
        show_json(rows)
    elif sys.stdout.isatty():
        _show_table(*_cells(on_terminal or columns, rows))
    else:
        headings, cells = _cells(columns, rows)
        sys.stdout.writelines("\t".join(line) + "\n" for line in [headings, *cells])


def progress(steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
    """Yields the steps, with a progress bar on stderr if that is a terminal."""
    with progress_bar(label) as update:
        for done, step in enumerate(steps, start=1):
            yield step
            update(done, total)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr if that is a terminal; yields a function of the steps done and their total number."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def text(value: object) -> str:
    """The text of a cell: `-` for an empty value, UTC with whole seconds for a time, spaces between list items."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value is None or value == "" else str(value)


def without_password(address: str) -> str:
    """A database URL without its password."""
    return re.sub("(://[^:/@]*:)[^/]*@", r"\1***@", address)


def _cells(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    return [column.upper() for column in columns], [[text(row[column]) for column in columns] for row in rows]


def _show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        # The first column identifies the row and must be easy to copy.
        table.add_column(heading, no_wrap=index == 0)
    for row in rows:
        # Text, because rich would treat square brackets in a str as markup.
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(table)
