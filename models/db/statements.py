"""Statements made ready: SQLAlchemy compiles each once; from then on its text runs on the driver's own connection."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Executable, Select, UpdateBase
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import SQLCompiler

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
        """None for raw text, and for a statement with a list whose length is known only at run time (`IN`)."""
        known = self._known.get(id(statement))
        if known is None:
            known = self._known[id(statement)] = (statement, prepare(statement, self._dialect))
        return known[1]


def prepare(statement: Executable, dialect: Dialect) -> Prepared | None:
    """The statement for that dialect; None as above."""
    if not isinstance(statement, (Select, UpdateBase)):
        return None
    compiled = statement.compile(dialect=dialect)
    if any(bind.expanding for bind in compiled.binds.values()):
        return None
    kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    fixed = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
    order = compiled.positiontup or []
    names = tuple((name, kinds[name]) for name in order)
    plain = itemgetter(*order) if len(order) > 1 and not any(kind for _, kind in names) else None
    return Prepared(str(compiled), names, fixed, *_row_factory(statement, dialect), plain)


def _row_factory(
    statement: Select[Any] | UpdateBase, dialect: Dialect
) -> tuple[Callable[[Any], Any], tuple[tuple[int, Convert], ...]]:
    """What makes a row with named fields, and what to convert in which column."""
    columns = list(statement.exported_columns)
    row = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # noqa: PYI024 - known at run time
    found = ((i, c.type.dialect_impl(dialect).result_processor(dialect, None)) for i, c in enumerate(columns))
    # As row._make does, without a function of Python for each row.
    return partial(tuple.__new__, row), tuple((i, convert) for i, convert in found if convert)


def expand(statement: Executable, dialect: DefaultDialect, binds: dict[str, Any]) -> tuple[Prepared, list[Any]]:
    """A statement with lists in it, for these binds alone: its prepared form, and its values in order."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined] # every statement of ours can
    if not isinstance(compiled, SQLCompiler) or not isinstance(statement, (Select, UpdateBase)):
        raise TypeError("Only statements built with SQLAlchemy run on the event loop.")
    state = compiled.construct_expanded_state(binds)
    order, given = state.positiontup or (), state.parameters
    values = [state.processors[name](given[name]) if name in state.processors else given[name] for name in order]
    return Prepared(state.statement, (), {}, *_row_factory(statement, dialect), None), values
