"""Data layer with SQLAlchemy Core and a sync driver: sqlite3 or psycopg."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event

from tools.bench.peers.music import rules, statements
from tools.bench.peers.music.failures import Absent
from tools.bench.peers.music.rules import Caller
from tools.bench.peers.music.tables import IS_SQLITE, URL

SETTINGS = ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


class Store:
    """The queries of the workloads; statements outside a transaction run in autocommit mode."""

    def __init__(self) -> None:
        url = URL if IS_SQLITE else URL.replace("postgresql://", "postgresql+psycopg://")
        options: dict[str, Any] = {"isolation_level": None} if IS_SQLITE else {"options": "-c timezone=UTC"}
        self.engine = create_engine(url, connect_args=options, pool_size=10, max_overflow=30)
        self.each = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        if IS_SQLITE:
            event.listen(self.engine, "connect", _prepare)

    def admit(self, secret: str | None, scope: str, organization_id: str) -> Caller:
        """The caller of a key. Raises Refused."""
        return rules.authenticate(self.key(secret) if secret else None, scope, organization_id)

    def key(self, secret: str) -> Any:
        """The row of a key in any state, or None."""
        return self._one(statements.KEY, digest=rules.digest(secret))

    def get(self, caller: Caller, collection_id: str) -> dict[str, Any]:
        row = self._one(statements.GET, **rules.owner_binds(caller, collection_id))
        return rules.to_json(_require_row(row))

    def page(self, caller: Caller, limit: int, offset: int) -> dict[str, Any]:
        with self.each.connect() as connection:
            binds = {"org": caller.organization_id, "owner": caller.user_id, "limit": limit, "offset": offset}
            return rules.page(connection.execute(statements.LIST, binds).all(), limit, offset)

    def tracks(self, caller: Caller, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
        with self.each.connect() as connection:
            binds = rules.owner_binds(caller, collection_id) | {"limit": limit, "offset": offset}
            rows = connection.execute(statements.TRACKS, binds).all()
        return rules.track_page(rows, collection_id, limit, offset)

    def create(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
        return rules.to_json(self._one(statements.CREATE, **rules.new_row(caller, fields)))

    def change(self, caller: Caller, collection_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        row = self._one(statements.change(changes, rules.now()), **rules.owner_binds(caller, collection_id))
        return rules.to_json(_require_row(row))

    def reorder(self, caller: Caller, collection_id: str, track_ids: Sequence[str]) -> dict[str, Any]:
        binds = rules.owner_binds(caller, collection_id)
        with self._transaction() as connection:
            _require_row(connection.execute(statements.LOCK, binds).first())
            moves = rules.moves(connection.execute(statements.MEMBERS, binds).all(), track_ids)
            if moves:
                connection.execute(statements.MOVE, [binds | move for move in moves])
                connection.execute(statements.TOUCH, binds | {"now": rules.now()})
        return rules.acknowledgement(collection_id)

    def _one(self, statement: Any, **binds: Any) -> Any:
        with self.each.connect() as connection:
            return connection.execute(statement, binds).first()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            if IS_SQLITE:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


def _prepare(connection: Any, _record: object) -> None:
    for setting in SETTINGS:
        connection.execute(f"PRAGMA {setting}").fetchall()


def _require_row(row: Any) -> Any:
    if row is None:
        raise Absent
    return row
