"""Every statement on an owned table is held to one organization and one owner, in the statement itself."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Executable,
    Insert,
    Select,
    Table,
    bindparam,
    select,
    update,
)
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.elements import BinaryExpression

import models
from models.schema import collection_tracks, collections

SCOPE = {"organization_id", "owner_id"}


def statements() -> dict[str, Executable]:
    """Every statement that is a constant of a module of models, by its full name."""
    modules = [importlib.import_module(f"models.{info.name}") for info in pkgutil.iter_modules(models.__path__)]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Select | Insert | Update | Delete)
    }


def unscoped(statement: Executable) -> list[str]:
    """The owned columns that the statement leaves open, as table.column."""
    return [gap for part in _parts(statement) for gap in _gaps(part)]


def _parts(statement: Executable) -> Iterator[Executable]:
    kinds = (Select, Insert, Update, Delete)
    assert isinstance(statement, kinds)
    found: list[Executable] = [element for element in visitors.iterate(statement) if isinstance(element, kinds)]
    if isinstance(statement, Insert) and isinstance(statement.select, Select):
        found += _parts(statement.select)
    yield from dict.fromkeys([statement, *found])


def _gaps(part: Executable) -> list[str]:
    if isinstance(part, Insert):
        return _gaps_of([part.table], _inserted(part))
    if isinstance(part, Update | Delete):
        return _gaps_of([part.table], _compared(part.whereclause))
    if isinstance(part, Select):
        tables = [table for source in part.get_final_froms() for table in _tables(source)]
        return _gaps_of(tables, _compared(part.whereclause))
    return []


def _gaps_of(tables: list[object], bound: set[tuple[str, str]]) -> list[str]:
    owned = [table.name for table in tables if isinstance(table, Table) and set(table.c.keys()) >= SCOPE]
    return [f"{table}.{column}" for table in owned for column in sorted(SCOPE) if (table, column) not in bound]


def _tables(source: object) -> Iterator[object]:
    # A subquery is a part of its own: only what stands directly in FROM counts here.
    left, right = getattr(source, "left", None), getattr(source, "right", None)
    if left is None:
        yield source
    else:
        yield from _tables(left)
        yield from _tables(right)


def _compared(where: ColumnElement[bool] | None) -> set[tuple[str, str]]:
    """The columns that must equal a bind: only what every row has to meet counts, nothing inside an OR."""
    if where is None:
        return set()
    if getattr(where, "operator", None) is operators.and_:
        return set().union(*(_compared(clause) for clause in where.get_children()))  # type: ignore[arg-type]
    if isinstance(where, BinaryExpression) and where.operator is operators.eq:
        column, bind = where.left, where.right
        if isinstance(column, Column) and _is_open(bind) and isinstance(column.table, Table):
            return {(column.table.name, column.name)}
    return set()


def _inserted(part: Insert) -> set[tuple[str, str]]:
    name = str(part.table.name)
    if part.select is not None:
        chosen = zip(part._select_names or (), part.select.selected_columns, strict=True)
        return {(name, column) for column, value in chosen if isinstance(value, BindParameter)}
    values: Mapping[Any, object] = part._values or {}
    return {(name, str(getattr(column, "name", column))) for column, value in values.items() if _is_open(value)}


def _is_open(value: object) -> bool:
    return isinstance(value, BindParameter) and value.required


@pytest.mark.parametrize("name", statements())
def test_every_statement_on_an_owned_table_names_organization_and_owner(name: str) -> None:
    gaps = unscoped(statements()[name])
    assert not gaps, (
        f"{name} does not bind {', '.join(gaps)}.\n"
        "Whoever guesses an id would reach what is somebody else's. Put both into the statement itself, never into "
        "code that runs after it: where(IS_OWN) or where(IS_IT) of models.collection_queries for a SELECT, UPDATE or "
        "DELETE, and bindparam values for an INSERT."
    )


def test_the_walk_finds_the_statements_and_the_owned_tables() -> None:
    found = statements()
    assert {
        "models.collection_queries.FIND",
        "models.collection_queries.CHANGE",
        "models.collection_track_queries.APPEND",
    } <= {*found}
    assert set(collections.c.keys()) >= SCOPE
    assert set(collection_tracks.c.keys()) >= SCOPE


def test_the_walk_notices_a_statement_that_forgets_the_owner() -> None:
    by_id = collections.c.id == bindparam("collection")
    in_organization = collections.c.organization_id == bindparam("organization")
    by_owner = collections.c.owner_id == bindparam("owner")
    assert unscoped(select(collections).where(by_id, in_organization)) == ["collections.owner_id"]
    assert unscoped(update(collections).where(by_id, by_owner)) == ["collections.organization_id"]
    assert unscoped(select(collections).where(in_organization & (by_id | by_owner))) == ["collections.owner_id"]
    within = select(collection_tracks.c.track_id).where(collection_tracks.c.track_id == bindparam("track")).subquery()
    assert unscoped(select(within)) == ["collection_tracks.organization_id", "collection_tracks.owner_id"]
