"""Output of commands: tables and progress bars on a terminal, tab-separated columns in a pipe, JSON on request.

Everything that a command prints goes through this module: a control character in a name or a title is shown escaped, so
no text moves the cursor, sets the title of the terminal or makes a line of its own.
"""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

Step = TypeVar("Step")
# C0, DEL and C1; the marks, embeddings and isolates of the bidirectional algorithm (UAX 9); the separators of lines and
# paragraphs; lone surrogates, which no encoding has.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def printable(value: str) -> str:
    """The text as one line, with each control character escaped as in Python: `\\x1b`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def echo(*lines: str, err: bool = False) -> None:
    """Prints lines to stdout, or stderr, and flushes; each is printed as one line, whatever it contains."""
    stream = sys.stderr if err else sys.stdout
    stream.writelines(printable(line) + "\n" for line in lines)
    stream.flush()


def show_json(value: object) -> None:
    """Prints `value` as JSON and flushes; times become ISO 8601."""
    # The encoder escapes C0 in texts itself, so the line feeds that are left are its own.
    lines = json.dumps(value, indent=2, ensure_ascii=False, default=text).split("\n")
    sys.stdout.write("\n".join(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines) + "\n")
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
        sys.stdout.flush()


def show_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows as comma-separated values with a header line (RFC 4180), and flushes."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([printable(str(row[column])) for column in columns] for row in rows)
    sys.stdout.flush()


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
    """The value as a text: `-` for an empty one, UTC with whole seconds for a time, spaces between list items."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value is None or value == "" else str(value)


def _cells(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    return [column.upper() for column in columns], [
        [printable(text(row[column])) for column in columns] for row in rows
    ]


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
