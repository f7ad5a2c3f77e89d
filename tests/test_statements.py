"""Every statement on an owned table binds the organization and the owner."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

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

from models.focus_tables import focus_segments, focus_sessions
from models.generation_tables import active_jobs, generations
from models.schema import collection_tracks, collections, library_entries
from models.schema import tracks as schema_tracks
from tests.rules.tree import at, service_modules
from tools.testing.statements import statements

SCOPE = {"organization_id", "owner_id"}
# The owner has another name here.
OWNERS = {
    table.name: {"organization_id", "user_id"}
    for table in (library_entries, generations, active_jobs, focus_sessions, focus_segments)
}
# A restore begins new versions for all owners; no request can run these, see below.
OF_COMMANDS = {"models.collection_versions.HIGHEST", "models.collection_versions.RENEW"}
# The report of operators, and the statements of workers, are about the jobs of all users.
OF_ALL_JOBS = {"models.usage.OF_EVERYBODY", "models.usage.FOCUS_OF_EVERYBODY"}
OF_WORKERS = ("models.generation_work.", "models.generation_queue.", "models.focus_work.", "models.focus_queue.")
# The audio of an organization and the end of its sessions, for commands and for the limit of its bytes.
OF_MAINTENANCE = ("models.focus_audio.", "models.focus_retention.")
# Whoever has the seal of a segment may play it, see below.
OF_A_SEAL = {"models.focus_queries.PLAYABLE", "models.focus_sessions.PLAYABLE"}
# The deletion of a track takes it out of every library; only its creator can run it, see below.
OF_A_DELETION = {"models.library_queries.REMOVE_ALL", "models.tracks.REMOVE_ALL"}


def unscoped(statement: Executable) -> list[str]:
    """The owner columns that the statement does not bind, as table.column."""
    return [column for part in _parts(statement) for column in _unbound(part)]


def _parts(statement: Executable) -> Iterator[Executable]:
    kinds = (Select, Insert, Update, Delete)
    assert isinstance(statement, kinds)
    found: list[Executable] = [element for element in visitors.iterate(statement) if isinstance(element, kinds)]
    if isinstance(statement, Insert) and isinstance(statement.select, Select):
        found += _parts(statement.select)
    yield from dict.fromkeys([statement, *found])


def _unbound(part: Executable) -> list[str]:
    if isinstance(part, Insert):
        return _unbound_columns([part.table], _inserted(part))
    if isinstance(part, Update | Delete):
        return _unbound_columns([part.table], _compared(part.whereclause))
    if isinstance(part, Select):
        tables = [table for source in part.get_final_froms() for table in _tables(source)]
        tables = [table for table in tables if table not in part._correlate]  # checked where they are selected from
        return _unbound_columns(tables, _compared(part.whereclause))
    return []


def _unbound_columns(tables: list[object], bound: set[tuple[str, str]]) -> list[str]:
    named = [table for table in tables if isinstance(table, Table)]
    owned = {table.name: OWNERS.get(table.name, SCOPE) for table in named if table.name in OWNERS or _is_owned(table)}
    return [f"{table}.{name}" for table, names in owned.items() for name in sorted(names) if (table, name) not in bound]


def _is_owned(table: Table) -> bool:
    return set(table.c.keys()) >= SCOPE


def _tables(source: object) -> Iterator[object]:
    # A subquery is checked separately; only direct FROM entries count here.
    left, right = getattr(source, "left", None), getattr(source, "right", None)
    if left is None:
        yield source
    else:
        yield from _tables(left)
        yield from _tables(right)


def _compared(where: ColumnElement[bool] | None) -> set[tuple[str, str]]:
    """Columns that must equal a bind for every row; conditions inside an OR do not count."""
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


def _of_requests() -> list[str]:
    names = statements().keys() - OF_COMMANDS - OF_A_DELETION - OF_ALL_JOBS - OF_A_SEAL
    return sorted(name for name in names if not name.startswith(OF_WORKERS + OF_MAINTENANCE))


@pytest.mark.parametrize("name", _of_requests())
def test_every_statement_on_an_owned_table_binds_organization_and_owner(name: str) -> None:
    unbound = unscoped(statements()[name])
    assert not unbound, (
        f"{name} does not bind {', '.join(unbound)}.\n"
        "A guessed id would give access to rows of other users. Put both into the statement, not into "
        "code that runs after it: where(IS_OWN) or where(IS_IT) of models.collection_queries for a SELECT, UPDATE or "
        "DELETE, and bindparam values for an INSERT."
    )


def test_statements_without_an_owner_are_imported_by_commands_only() -> None:
    for name in OF_COMMANDS:
        module = name.split(".")[1]
        users = [at(file) for file in service_modules() if module in file.read_text(encoding="utf-8")]
        assert users == ["ops/after_restore.py"], f"{name} concerns all owners: only commands may run it."
        assert unscoped(statements()[name]), f"{name} binds its owner: take it out of OF_COMMANDS."


def test_the_report_of_all_jobs_is_made_by_commands_only() -> None:
    users = [at(file) for file in service_modules() if "usage.report(" in file.read_text(encoding="utf-8")]
    assert users == ["ops/spending.py"]
    assert unscoped(statements()["models.usage.OF_EVERYBODY"]) == ["generations.organization_id", "generations.user_id"]


def test_a_segment_is_found_without_its_owner_only_by_its_seal() -> None:
    for name in OF_A_SEAL:
        assert unscoped(statements()[name]) == ["focus_segments.user_id"]
    users = [at(file) for file in service_modules() if "focus_sessions.playable(" in file.read_text(encoding="utf-8")]
    assert users == ["handlers/tracks.py"]


def test_every_library_is_changed_only_after_the_creators_track_is_deleted() -> None:
    for name in OF_A_DELETION:
        assert unscoped(statements()[name]) == ["library_entries.organization_id", "library_entries.user_id"]
    users = [at(file) for file in service_modules() if "REMOVE_ALL" in file.read_text(encoding="utf-8")]
    assert sorted(users) == ["models/library_queries.py", "models/tracks.py"]


def test_no_statement_joins_two_organizations() -> None:
    """A track in a library may be of another organization: `track_organization_id` is compared with binds only."""
    joined = [name for name, statement in statements().items() if _joins_organizations(statement)]
    assert not joined, f"These statements compare organizations of two rows: {joined}"
    entries, tracks = library_entries.c, schema_tracks.c
    assert _joins_organizations(select(tracks.id).where(entries.track_organization_id == tracks.organization_id))


def _joins_organizations(statement: Executable) -> bool:
    columns = {"organization_id", "track_organization_id"}
    comparisons = [part for part in _walk(statement) if isinstance(part, BinaryExpression)]
    sides = [{side.name for side in (part.left, part.right) if isinstance(side, Column)} for part in comparisons]
    # Two rows with one organization_id are of one organization.
    pairs = [p for p, names in zip(comparisons, sides, strict=True) if "track_organization_id" in names <= columns]
    return any(isinstance(part.left, Column) and isinstance(part.right, Column) for part in pairs)


def _walk(statement: Executable) -> Iterator[Any]:
    for part in _parts(statement):
        yield from visitors.iterate(cast("Any", part))


def test_known_statements_and_owned_tables_are_found() -> None:
    found = statements()
    assert {
        "models.collection_queries.FIND",
        "models.collection_queries.CHANGE",
        "models.collection_track_queries.APPEND",
    } <= {*found}
    assert set(collections.c.keys()) >= SCOPE
    assert set(collection_tracks.c.keys()) >= SCOPE


def test_statement_without_the_owner_is_detected() -> None:
    by_id = collections.c.id == bindparam("collection")
    in_organization = collections.c.organization_id == bindparam("organization")
    by_owner = collections.c.owner_id == bindparam("owner")
    assert unscoped(select(collections).where(by_id, in_organization)) == ["collections.owner_id"]
    assert unscoped(update(collections).where(by_id, by_owner)) == ["collections.organization_id"]
    assert unscoped(select(collections).where(in_organization & (by_id | by_owner))) == ["collections.owner_id"]
    within = select(collection_tracks.c.track_id).where(collection_tracks.c.track_id == bindparam("track")).subquery()
    assert unscoped(select(within)) == ["collection_tracks.organization_id", "collection_tracks.owner_id"]
