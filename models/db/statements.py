"""Statements made ready: SQLAlchemy compiles each once; from then on its text runs on the driver's own connection."""

from __future__ import annotations

import sqlite3
import threading
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Dialect, Engine, Executable, PoolProxiedConnection, Select, UpdateBase

from models.db import event_loop

_READING = event_loop.LoopCall()
R = TypeVar("R")
Convert = Callable[[Any], Any]


class Prepared(NamedTuple):
    """A compiled statement: its text, its binds in order, its row class, and what to convert in which column.

    `plain` takes the binds all at once, where there are several and none is converted.
    """

    text: str
    names: tuple[tuple[str, Convert | None], ...]
    fixed: dict[str, Any]
    row: Callable[[Any], Any]
    converts: tuple[tuple[int, Convert], ...]
    plain: Callable[[dict[str, Any]], tuple[Any, ...]] | None

    def values(self, binds: dict[str, Any]) -> Sequence[Any]:
        """The binds in the order of the text, as the driver takes them."""
        known = binds | self.fixed if self.fixed else binds
        if self.plain is not None:
            return self.plain(known)
        return [known[name] if convert is None else convert(known[name]) for name, convert in self.names]

    def to_rows(self, found: Sequence[Any]) -> list[Any]:
        """Rows with named fields, as SQLAlchemy would give them; several are made column by column, which is faster."""
        if not self.converts or not found:
            return list(map(self.row, found))
        if len(found) == 1:
            return [self.row(self._converted(found[0]))]
        columns: list[Iterable[Any]] = list(zip(*found, strict=True))
        for index, convert in self.converts:
            columns[index] = map(convert, columns[index])
        return list(map(self.row, zip(*columns, strict=True)))

    def _converted(self, row: Iterable[Any]) -> list[Any]:
        values = list(row)
        for index, convert in self.converts:
            values[index] = convert(values[index])
        return values


class StatementCache:
    """The prepared forms of the statements of our modules, each compiled for one dialect at its first use."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[int, tuple[Executable, Prepared | None]] = {}

    def get(self, statement: Executable) -> Prepared | None:
        """None for what gives no rows, or has a part that only SQLAlchemy can fill in at run time."""
        known = self._known.get(id(statement))
        if known is None:
            known = self._known[id(statement)] = (statement, prepare(statement, self._dialect))
        return known[1]


def prepare(statement: Executable, dialect: Dialect) -> Prepared | None:
    """The statement for that dialect; None as above."""
    if not isinstance(statement, (Select, UpdateBase)) or not statement.exported_columns:
        return None
    compiled = statement.compile(dialect=dialect)
    if any(bind.expanding for bind in compiled.binds.values()):
        return None
    kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    fixed = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
    columns = list(statement.exported_columns)
    found = ((i, c.type.dialect_impl(dialect).result_processor(dialect, None)) for i, c in enumerate(columns))
    row = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # noqa: PYI024 - known at run time
    order = compiled.positiontup or []
    names = tuple((name, kinds[name]) for name in order)
    made = partial(tuple.__new__, row)  # as row._make does, without a function of Python for each row
    plain = itemgetter(*order) if len(order) > 1 and not any(kind for _, kind in names) else None
    return Prepared(str(compiled), names, fixed, made, tuple((i, p) for i, p in found if p), plain)


class FastPath(Protocol):
    """Asks past SQLAlchemy: what is prepared needs no thread."""

    takes_writes: bool

    @property
    def in_use(self) -> int:
        """How many of its connections somebody works with."""

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The result of a plain function, which asks with `rows`; it runs on the event loop."""

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """Every row; None when SQLAlchemy has to ask."""

    def close(self) -> None:
        """Close every connection."""


class SQLiteReader:
    """Runs prepared reads of one SQLite database, each thread on a connection of its own that it keeps.

    The engine must have no pool: what is kept would be missing from it.
    """

    takes_writes = False
    in_use = 0  # a read of SQLite is over before anybody could count it

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = StatementCache(engine.dialect)
        self._kept = threading.local()
        self._open: list[PoolProxiedConnection] = []

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The function's result, at once: readers of a write-ahead log wait for nobody."""
        token = event_loop.current_loop_call.set(_READING)
        try:
            return function(*args)
        finally:
            event_loop.current_loop_call.reset(token)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """Every row; None when SQLAlchemy has to ask, which also explains what failed."""
        prepared = self._cache.get(statement) if isinstance(statement, Select) else None
        if prepared is None:
            return None
        try:
            return prepared.to_rows(self._connection().execute(prepared.text, prepared.values(binds)).fetchall())
        except sqlite3.Error:
            return None

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
