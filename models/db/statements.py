"""Prepared statements: SQLAlchemy compiles each statement once; its text runs directly on the driver's connection."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Executable, Select, UpdateBase
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], Any]


class Prepared(NamedTuple):
    """A compiled statement: text, binds in order with their converters, row factory, and converters by column.

    NULL is None, whatever the column; no converter sees it.

    `plain` gets all binds in one call; it is None if there are fewer than two or one needs a converter.
    """

    text: str
    names: tuple[tuple[str, Convert | None], ...]
    fixed: dict[str, Any]
    row: Callable[[Any], Any]
    converts: tuple[tuple[int, Convert], ...]
    plain: Callable[[dict[str, Any]], tuple[Any, ...]] | None

    def values(self, binds: dict[str, Any]) -> Sequence[Any]:
        """The binds in the order of the text, as the driver needs them."""
        values = binds | self.fixed if self.fixed else binds
        if self.plain is not None:
            return self.plain(values)
        return [values[name] if convert is None else convert(values[name]) for name, convert in self.names]

    def has_all(self, binds: Mapping[str, Any]) -> bool:
        """Whether these are all binds of the statement; an INSERT without columns has one for each of its table."""
        return all(name in binds or name in self.fixed for name, _ in self.names)

    def to_rows(self, raw: Sequence[Any]) -> list[Any]:
        """Rows with named fields, as SQLAlchemy returns them; several are converted by column, which is faster."""
        if not self.converts or not raw:
            return list(map(self.row, raw))
        if len(raw) == 1:
            return [self.row(self._converted(raw[0]))]
        columns: list[Iterable[Any]] = list(zip(*raw, strict=True))
        for index, convert in self.converts:
            columns[index] = [None if value is None else convert(value) for value in columns[index]]
        return list(map(self.row, zip(*columns, strict=True)))

    def _converted(self, row: Iterable[Any]) -> list[Any]:
        values = list(row)
        for index, convert in self.converts:
            if values[index] is not None:
                values[index] = convert(values[index])
        return values


class StatementCache:
    """Prepared statements of one dialect, each compiled at its first use."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._statements: dict[int, tuple[Executable, Prepared | None]] = {}

    def get(self, statement: Executable) -> Prepared | None:
        """The prepared statement; None for raw text and for a statement with an IN list, whose length varies."""
        cached = self._statements.get(id(statement))
        if cached is None:
            cached = self._statements[id(statement)] = (statement, prepare(statement, self._dialect))
        return cached[1]


def prepare(statement: Executable, dialect: Dialect) -> Prepared | None:
    """The statement compiled for a dialect; None as in StatementCache.get."""
    if not isinstance(statement, (Select, UpdateBase)):
        return None
    compiled = statement.compile(dialect=dialect)
    if any(bind.expanding for bind in compiled.binds.values()):
        return None
    processors = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
    }
    fixed = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
    order = compiled.positiontup or []
    names = tuple((name, processors[name]) for name in order)
    plain = itemgetter(*order) if len(order) > 1 and not any(processor for _, processor in names) else None
    return Prepared(str(compiled), names, fixed, *_row_factory(statement, dialect), plain)


def _row_factory(
    statement: Select[Any] | UpdateBase, dialect: Dialect
) -> tuple[Callable[[Any], Any], tuple[tuple[int, Convert], ...]]:
    """The function that makes a row with named fields, and the converters by column."""
    columns = list(statement.exported_columns)
    row = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # noqa: PYI024 - known at run time
    converts = ((i, c.type.dialect_impl(dialect).result_processor(dialect, None)) for i, c in enumerate(columns))
    # As row._make, without the call of a Python function for each row.
    return partial(tuple.__new__, row), tuple((i, getattr(one, "present", one)) for i, one in converts if one)


def expand(statement: Executable, dialect: DefaultDialect, binds: dict[str, Any]) -> tuple[Prepared, list[Any]]:
    """A statement with IN lists, compiled for these binds: its prepared form, and its values in order."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined] # Select and UpdateBase have it
    if not isinstance(compiled, SQLCompiler) or not isinstance(statement, (Select, UpdateBase)):
        raise TypeError("Only statements built with SQLAlchemy run on the event loop.")
    state = compiled.construct_expanded_state(binds)
    order, expanded = state.positiontup or (), state.parameters
    values = [state.processors[name](expanded[name]) if name in state.processors else expanded[name] for name in order]
    return Prepared(state.statement, (), {}, *_row_factory(statement, dialect), None), values
