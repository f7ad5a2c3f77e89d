"""Shared parts of all tables: metadata, column types for both databases, ids and the clock."""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, DateTime, Dialect, Integer, MetaData, Text, event
from sqlalchemy.types import TypeDecorator, TypeEngine

ID_TRIES = 8

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


@event.listens_for(metadata, "before_create")
def _limit_indexes(_: MetaData, connection: Connection, **__: object) -> None:
    """Gives the indexes on PostgreSQL the condition that they have on SQLite.

    `postgresql_where` would import the dialects of PostgreSQL, which a server on SQLite does not need.
    """
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


# STRICT tables of SQLite have only INTEGER, with 64 bits.
BIGINT = BigInteger().with_variant(Integer(), "sqlite")

# `info` of a table: where its rows are in a Citus cluster, in the words of its view `citus_tables`. A third type is
# "local": on the coordinator only.
REFERENCE = {"citus_table_type": "reference"}  # a copy on every node: small, and seldom written
DISTRIBUTED = {"citus_table_type": "distributed"}  # spread by organization_id


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC with microseconds; on SQLite a text of fixed width, which sorts by time."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A datetime without a time zone cannot be stored.")
        value = value.astimezone(UTC)
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.driver == "asyncpg":
            return None  # asyncpg returns UTC
        return _FromText() if dialect.name == "sqlite" else _in_utc


class _FromText:
    """Reads a time; `present` reads one that is not None, without a call of a Python function."""

    present = staticmethod(datetime.fromisoformat)

    def __call__(self, text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class Bool(TypeDecorator[bool]):
    """A boolean; an integer in STRICT tables of SQLite."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        return int(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class WordSet(TypeDecorator[frozenset[str]]):
    """A set of words, stored as one text with spaces between them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else " ".join(sorted(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(value.split())


def new_id(prefix: str) -> str:
    """The prefix and 12 random lower-case hexadecimal digits, from a secure random generator."""
    return prefix + secrets.token_hex(6)


def is_id(text: str, prefix: str) -> bool:
    """Whether a text has the form of an id with that prefix."""
    return re.fullmatch(re.escape(prefix) + "[0-9a-f]{12}", text) is not None


def now() -> datetime:
    """The current time as an aware datetime in UTC, with microseconds."""
    return datetime.now(UTC)
