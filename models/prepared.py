"""Reads made ready: SQLAlchemy compiles a statement once; from then on its text runs on the driver's own connection."""

from __future__ import annotations

import sqlite3
import threading
from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Engine, PoolProxiedConnection, Select

Convert = Callable[[Any], Any]


class Prepared(NamedTuple):
    """A compiled statement: its text, the order of its binds, its row class, and what to convert in which column."""

    text: str
    names: tuple[tuple[str, Convert | None], ...]
    row: Callable[[Any], Any]
    converts: tuple[tuple[int, Convert], ...]

    def values(self, binds: dict[str, Any]) -> list[Any]:
        """The binds in the order of the text, as the driver takes them."""
        return [binds[name] if convert is None else convert(binds[name]) for name, convert in self.names]

    def made(self, raw: tuple[Any, ...]) -> Any:
        """A row with named fields, as SQLAlchemy would give it."""
        if not self.converts:
            return self.row(raw)
        fields = list(raw)
        for index, convert in self.converts:
            fields[index] = convert(fields[index])
        return self.row(fields)


def prepare(statement: Select[Any], dialect: Dialect) -> Prepared | None:
    """The statement for that dialect; None when it has a part that only SQLAlchemy can fill in at run time."""
    compiled = statement.compile(dialect=dialect)
    if any(bind.expanding or not bind.required for bind in compiled.binds.values()):
        return None
    kinds = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
    columns = list(statement.selected_columns)
    found = ((i, c.type.dialect_impl(dialect).result_processor(dialect, None)) for i, c in enumerate(columns))
    row = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # noqa: PYI024 - known at run time
    names = tuple((name, kinds[name].bind_processor(dialect)) for name in compiled.positiontup or ())
    return Prepared(str(compiled), names, row._make, tuple((i, p) for i, p in found if p))


class Reader:
    """Runs prepared reads of one SQLite database, each thread on a connection of its own that it keeps.

    The engine must have no pool: what is kept would be missing from it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int, tuple[Select[Any], Prepared | None]] = {}
        self._kept = threading.local()
        self._open: list[PoolProxiedConnection] = []

    def ready(self, statement: Select[Any]) -> Prepared | None:
        """The prepared form of a module-level statement, compiled at its first use."""
        known = self._known.get(id(statement))
        if known is None:
            known = self._known[id(statement)] = (statement, prepare(statement, self._engine.dialect))
        return known[1]

    def rows(self, prepared: Prepared, binds: dict[str, Any]) -> list[Any]:
        """Every row. Raises the driver's errors."""
        return [prepared.made(raw) for raw in self._connection().execute(prepared.text, prepared.values(binds))]

    def _connection(self) -> sqlite3.Connection:
        kept: sqlite3.Connection | None = getattr(self._kept, "connection", None)
        return self._opened() if kept is None else kept

    def _opened(self) -> sqlite3.Connection:
        borrowed = self._engine.raw_connection()
        self._open.append(borrowed)
        opened: Any = borrowed.driver_connection
        kept: sqlite3.Connection = opened
        self._kept.connection = kept
        return kept

    def close(self) -> None:
        """Closes every connection that a thread keeps."""
        while self._open:
            self._open.pop().close()
