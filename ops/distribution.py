"""Distributes the tables over the nodes of a Citus cluster."""

from collections.abc import Callable

from sqlalchemy import Connection

from models.db import distribute as citus
from models.db.migrate import locked_connection
from models.schema import collections
from ops import database_setup
from ops.errors import CommandError

TYPES = citus.declared(collections.metadata)


def distribute(url: str, progress: Callable[[int, int], None], *, dry_run: bool) -> list[str]:
    """Places every table that is not placed yet, in one transaction; the SQL for it. Raises CommandError."""
    with database_setup.open_database(url) as database:
        if not database.is_postgres:
            raise CommandError("SQLite has no nodes to distribute to: name a Citus coordinator with --database-url.")
    with database_setup.explain_errors(url), locked_connection(url) as connection:
        statements = _statements(connection)
        for done, statement in enumerate(() if dry_run else statements, start=1):
            connection.exec_driver_sql(statement)
            progress(done, len(statements))
    return statements


def _statements(connection: Connection) -> list[str]:
    try:
        citus.require_citus(connection)
        return citus.statements(connection, TYPES)
    except citus.NoCitus as error:
        raise CommandError(
            "The database has no Citus extension: run `CREATE EXTENSION citus` on the coordinator and on each node, "
            "and add the nodes with `citus_add_node`."
        ) from error
    except citus.WrongTableType as error:
        raise CommandError(
            f"The table {error} must be a {TYPES[str(error)]} table: run `SELECT undistribute_table('{error}', "
            "cascade_via_foreign_keys => true)`, then this command again."
        ) from error


def script(statements: list[str]) -> list[str]:
    """The statements as a script for psql; empty if there is nothing to do."""
    return [f"{line};" for line in ("BEGIN", *statements, "COMMIT")] if statements else []


def sentence(statements: list[str]) -> str:
    """What was done, for the operator."""
    placed = sum(statement.startswith("SELECT create_") for statement in statements)
    return f"{placed} tables were placed." if placed else "Every table is placed already."
