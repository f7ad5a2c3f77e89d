"""`music-studio distribute` on a real PostgreSQL, against functions that keep the rules of Citus about foreign keys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from models.base import metadata
from models.db import distribute, migrate
from tools.testing import databases
from tools.testing.cli_runner import Shell
from web.redaction import mask_url

CITUS = Path(__file__).parent / "deployments" / "citus.sql"
DECLARED = {name: table.info["citus_table_type"] for name, table in metadata.tables.items()}
FOREIGN_KEYS = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
    " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
)


@pytest.fixture
def citus(tmp_path: Path) -> Iterator[tuple[Shell, Connection]]:
    """The command line and a connection to an empty database with the functions of Citus."""
    with databases.postgres_database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CITUS.read_bytes())
        yield Shell(tmp_path, url), connection


def _foreign_keys(connection: Connection) -> set[tuple[object, ...]]:
    return set(connection.execute(FOREIGN_KEYS))


def _placed(connection: Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT table_name::text, citus_table_type FROM citus_tables").fetchall())


def test_every_table_is_placed_and_keeps_its_foreign_keys(citus: tuple[Shell, Connection]) -> None:
    shell, connection = citus
    shell.text("migrate")
    before = _foreign_keys(connection)
    assert shell.run("distribute").stderr == f"{len(DECLARED)} tables were placed.\n"
    assert _placed(connection) == DECLARED
    assert _foreign_keys(connection) == before
    columns = connection.execute(
        "SELECT DISTINCT distribution_column FROM citus_tables WHERE citus_table_type <> 'reference'"
    )
    assert columns.fetchall() == [(distribute.DISTRIBUTION_COLUMN,)]


def test_a_second_run_does_nothing(citus: tuple[Shell, Connection]) -> None:
    shell, _ = citus
    shell.text("migrate")
    shell.text("distribute")
    assert shell.json("distribute") == {"database_url": mask_url(shell.url), "dry_run": False, "statements": []}
    assert shell.run("distribute").stderr == "Every table is placed already.\n"
    assert shell.text("distribute", "--dry-run") == ""


def test_dry_run_prints_the_script_and_changes_nothing(citus: tuple[Shell, Connection]) -> None:
    shell, connection = citus
    shell.text("migrate")
    before = _foreign_keys(connection)
    script = shell.text("distribute", "--dry-run")
    assert (_placed(connection), _foreign_keys(connection)) == ({}, before)
    assert script.startswith("BEGIN;\n")
    assert script.endswith(";\nCOMMIT;\n")
    connection.execute(script.encode())
    assert (_placed(connection), _foreign_keys(connection)) == (DECLARED, before)


WRONG: dict[str, tuple[Callable[[str], int | None], str]] = {
    "foreign keys stay": (lambda one: 0 if "ALTER" not in one else None, "to distributed tables are not supported"),
    "foreign keys come back too soon": (lambda one: "create_" in one, "to distributed tables are not supported"),
    "a table is left out": (
        lambda one: None if "table('tracks'" in one else 0,
        "relations are not colocated|not distributed",
    ),
    "parallel mode": (lambda one: None if one == distribute.SEQUENTIAL else 0, "parallel operation"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_order_is_refused(citus: tuple[Shell, Connection], name: str) -> None:
    """`place` is where a statement comes, or None for one that is left out."""
    shell, connection = citus
    shell.text("migrate")
    place, message = WRONG[name]
    statements = [one for one in shell.json("distribute", "--dry-run")["statements"] if "truncate" not in one]
    kept = sorted((one for one in statements if place(one) is not None), key=lambda one: place(one) or 0)
    with pytest.raises(psycopg.errors.RaiseException, match=message):
        connection.execute(";".join(kept).encode())  # one transaction
    assert _placed(connection) == {}


def test_a_failure_undoes_everything(citus: tuple[Shell, Connection]) -> None:
    shell, connection = citus
    shell.text("migrate")
    before = _foreign_keys(connection)
    # A row whose foreign key does not hold, as in a table that was loaded without its constraints.
    connection.execute("SET session_replication_role = replica")
    connection.execute("INSERT INTO memberships VALUES ('org_gone', 'ida', now())")
    assert "violates foreign key constraint" in shell.error("distribute")
    assert (_placed(connection), _foreign_keys(connection)) == ({}, before)


def test_a_table_placed_by_hand_is_left_alone(citus: tuple[Shell, Connection]) -> None:
    shell, connection = citus
    shell.text("migrate")
    before = _foreign_keys(connection)
    connection.execute("SELECT create_reference_table('organizations')")
    statements = shell.json("distribute")["statements"]
    assert not [one for one in statements if "'organizations'" in one]
    assert (_placed(connection), _foreign_keys(connection)) == (DECLARED, before)


def test_migrations_place_the_tables_that_they_create(citus: tuple[Shell, Connection], tmp_path: Path) -> None:
    shell, connection = citus
    migrate.upgrade(shell.url, "0006")
    old = {name: kind for name, kind in DECLARED.items() if _exists(connection, name)}
    with migrate.locked_connection(shell.url) as locked:
        for one in distribute.statements(locked, old):
            locked.exec_driver_sql(one)
    assert _placed(connection) == old != DECLARED
    shell.text("migrate")
    assert _placed(connection) == DECLARED
    assert shell.json("distribute")["statements"] == []
    with databases.migrated("postgresql", tmp_path) as url, psycopg.connect(url) as plain:
        assert _foreign_keys(connection) == _foreign_keys(plain)


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    return row != (None,)


def test_a_table_placed_otherwise_is_named(citus: tuple[Shell, Connection]) -> None:
    shell, connection = citus
    shell.text("migrate")
    connection.execute("SELECT create_reference_table('spend_limits')")
    sentence = shell.error("distribute")
    assert "spend_limits must be a distributed table: run `SELECT undistribute_table('spend_limits'" in sentence


@pytest.mark.parametrize(
    ("kind", "advice"), [("sqlite", "name a Citus coordinator"), ("postgresql", "`CREATE EXTENSION citus`")]
)
def test_a_database_without_citus_is_refused(kind: str, advice: str, tmp_path: Path) -> None:
    with databases.migrated(kind, tmp_path) as url:
        assert advice in Shell(tmp_path, url).error("distribute")
