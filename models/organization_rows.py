"""Every row of an organization, in whatever table it is: read for an export, and deleted.

The tables come from the metadata, so a table that is added later is exported and deleted too. Only commands use this
module. A column whose `info` has `secret` is not exported.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Select,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    tuple_,
)

from models.base import metadata
from models.db import connection
from models.schema import collection_tracks, collections, organizations

BATCH_ROWS = 500
OWNER = "organization_id"

# The tracks of a collection are found by the collection, of which no index begins with the organization. It has at most
# 10,000, which are one batch.
_IN_COLLECTION = (
    collection_tracks.c.organization_id == bindparam("organization"),
    collection_tracks.c.owner_id == bindparam("owner"),
    collection_tracks.c.collection_id == bindparam("collection"),
)
TRACKS_OF_COLLECTION = select(*collection_tracks.c).where(*_IN_COLLECTION).order_by(collection_tracks.c.rank)
DELETE_TRACKS_OF_COLLECTION = delete(collection_tracks).where(*_IN_COLLECTION)


def tables() -> list[Table]:
    """The tables with rows of organizations: each before the tables that it refers to, `organizations` is the last."""
    return [*(table for table in reversed(metadata.sorted_tables) if OWNER in table.c), organizations]


def read(table: Table, organization_id: str) -> Iterator[dict[str, Any]]:
    """The rows of an organization, without secrets, read in batches. Raises Unavailable."""
    secret = {column.name for column in table.c if column.info.get("secret")}
    for row in _rows(table, organization_id):
        yield {name: value for name, value in _values(table, row).items() if name not in secret}


def delete_rows(table: Table, organization_id: str) -> Iterator[int]:
    """Deletes the rows of an organization in batches; yields the number of each. Raises Unavailable.

    Also the rows of other organizations that name this one, such as a saved track.
    """
    if table is collection_tracks:
        for binds in _collections(organization_id):
            yield connection.execute(DELETE_TRACKS_OF_COLLECTION, **binds)
        return
    for column in _naming(table):
        statement = delete_batch(table, column)
        while count := connection.execute(statement, organization=organization_id):
            yield count


def delete_batch(table: Table, column: Column[Any]) -> Delete:
    """The statement that deletes the first rows whose column is the bind `organization`."""
    named = column == bindparam("organization")
    key = list(table.primary_key.columns)
    batch = select(*key).where(named).limit(BATCH_ROWS)
    return delete(table).where(named, tuple_(*key).in_(batch))


def read_batch(table: Table, *, first: bool) -> Select[Any]:
    """The statement that reads the first rows of the bind `organization`, or those after the binds of the last one."""
    key = order(table)
    where: list[ColumnElement[bool]] = [_naming(table)[0] == bindparam("organization")]
    if not first:
        where.append(tuple_(*key) > tuple_(*(bindparam(f"after_{part.name}", type_=part.type) for part in key)))
    return select(*table.c).where(*where).order_by(*key).limit(BATCH_ROWS)


def order(table: Table) -> list[Column[Any]]:
    """The columns of an index that begins with the organization, and the primary key: they order the rows."""
    key, owner = list(table.primary_key.columns), _naming(table)[0]
    unique = [list(rule.columns) for rule in table.constraints if isinstance(rule, UniqueConstraint)]
    indexes = [key, *unique, *(list(index.columns) for index in table.indexes)]
    first = next((columns for columns in indexes if columns[0] is owner), [])
    return list(dict.fromkeys([*first, *key]))


def _naming(table: Table) -> list[Column[Any]]:
    """The columns that name an organization; the first is the owner of the row."""
    if table is organizations:
        return [organizations.c.id]
    return sorted((column for column in table.c if column.name.endswith(OWNER)), key=lambda one: len(one.name))


def _rows(table: Table, organization_id: str) -> Iterator[Any]:
    if table is collection_tracks:
        for binds in _collections(organization_id):
            yield from connection.fetch_all(TRACKS_OF_COLLECTION, **binds)
        return
    batch = connection.fetch_all(read_batch(table, first=True), organization=organization_id)
    further, key = read_batch(table, first=False), order(table)
    while batch:
        yield from batch
        last = _values(table, batch[-1])
        after = {f"after_{part.name}": last[part.name] for part in key}
        batch = connection.fetch_all(further, organization=organization_id, **after)


def _values(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(table.c.keys(), row, strict=True))


def _collections(organization_id: str) -> Iterator[dict[str, object]]:
    """The binds that find the tracks of each collection."""
    for row in _rows(collections, organization_id):
        yield {"organization": organization_id, "owner": row.owner_id, "collection": row.id}
