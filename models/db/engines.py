"""SQLAlchemy engines, database URLs, session settings and time limits for both databases.

Decisions 32 and 33.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from models.db import driver_errors

NAME = "music-studio"
IN_MEMORY = "sqlite://"
CONNECT_SECONDS = 2
POOL_SECONDS = 2.0
STATEMENT_MS = 2000
BUSY_MS = 2000
# Above PostgreSQL's deadlock_timeout of 1 s, so that a deadlock is reported as one and not as a lock timeout.
LOCK_MS = 1200
IDLE_MS = 10_000
RECYCLE_SECONDS = 1800
# Less than for the primary: after a timeout of the replica, the primary must still respond in time.
REPLICA_STATEMENT_MS = 1000
# The client disconnects this long after the server's own statement_timeout.
CLIENT_TIMEOUT_MARGIN_SECONDS = 0.2

ASYNCPG_OPTIONS = frozenset(("host", "port", "user", "password", "database", "dbname", "sslmode", "sslcert", "sslkey",
                        "sslrootcert", "sslcrl", "sslpassword", "passfile", "target_session_attrs"))  # fmt: skip
_CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": NAME,
}


def session_settings(statement_timeout_ms: int = STATEMENT_MS) -> list[tuple[str, str]]:
    """The settings of every PostgreSQL session that no pooler shares; times in milliseconds."""
    return [
        ("statement_timeout", str(statement_timeout_ms)),
        ("lock_timeout", str(LOCK_MS)),
        ("idle_in_transaction_session_timeout", str(IDLE_MS)),
        ("timezone", "UTC"),
        # Every statement has an index. A plan made for a small table would scan or sort the complete table once grown.
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("jit", "off"),
    ]


def parse_url(url: str) -> URL:
    """SQLAlchemy's URL object. Raises ValueError unless the database is PostgreSQL or SQLite."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    raise ValueError("The database URL must be sqlite:///<file> or postgresql://<host>/<database>.")


def is_postgres(url: str) -> bool:
    """Whether the URL is one of PostgreSQL. Raises ValueError as `parse_url` does."""
    return parse_url(url).get_backend_name() == "postgresql"


def is_in_memory(url: str) -> bool:
    """Whether `unique_url` made this URL for a database in memory."""
    return make_url(url).query.get("vfs") == "memdb"


def unique_url(url: str) -> str:
    """The URL itself; for `sqlite://`, the URL of a new database in memory that all connections of the process share.

    It exists as long as one of them is open (memdb VFS of SQLite 3.36 and newer).
    """
    if url != IN_MEMORY:
        return url
    return f"sqlite+pysqlite:///file:/{secrets.token_hex(8)}?vfs=memdb&uri=true"


def is_asyncpg_compatible(url: str) -> bool:
    """Whether asyncpg supports every option of a PostgreSQL URL; some exist only in libpq."""
    return parse_url(url).query.keys() <= ASYNCPG_OPTIONS


def create_pooled(
    url: str,
    *,
    pool_size: int,
    statement_timeout_ms: int,
    prepare: bool = True,
    before_connect: Callable[[], object] = lambda: None,
) -> Engine:
    """The service's engine, in autocommit mode: transactions send their own BEGIN.

    Without `prepare`, no prepared statement and no setting stays in a session of PostgreSQL. `before_connect` is called
    before a connection to SQLite, which it prevents by an exception.
    """
    # Two connections more than threads, so that readiness and key usage never wait for one.
    limits = {"pool_size": pool_size, "max_overflow": 2, "pool_timeout": POOL_SECONDS}
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, BUSY_MS, before_connect, **limits)
    options = _postgres_options(statement_timeout_ms) if prepare else _CONNECTION | {"prepare_threshold": None}
    engine = create_engine(parsed, connect_args=options, pool_recycle=RECYCLE_SECONDS, **limits)
    event.listen(engine, "handle_error", _disconnect_if_unsound, retval=True)
    return engine


def client_timeout_seconds(statement_timeout_ms: int) -> float:
    """Seconds that the client waits for a statement before it disconnects from a server that does not respond."""
    return statement_timeout_ms / 1000 + CLIENT_TIMEOUT_MARGIN_SECONDS


def create_unpooled(url: str, *, wait_seconds: int, before_connect: Callable[[], object] = lambda: None) -> Engine:
    """An engine without pool and statement timeout, for one long task such as a migration; see `create_pooled`."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, wait_seconds * 1000, before_connect, poolclass=NullPool)
    return create_engine(parsed, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})


def _sqlite(url: URL, busy_ms: int, before_connect: Callable[[], object], **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"isolation_level": None}, **options)

    def connect(*args: Any, **named: Any) -> Any:
        before_connect()
        connection: Any = engine.dialect.connect(*args, **named)
        for setting in (f"busy_timeout = {busy_ms}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        return connection

    connect_with(engine, connect)
    event.listen(engine, "handle_error", _disconnect_if_unsound, retval=True)
    return engine


@contextmanager
def giving_back(connection: Connection) -> Iterator[Connection]:
    """Gives the connection back to its pool afterwards; a failure of that is not one of what the connection did."""
    try:
        yield connection
    finally:
        with suppress(Exception):  # the pool drops a connection that it cannot reset
            connection.close()


def connect_with(engine: Engine, connect: Callable[..., Any]) -> None:
    """Lets the engine connect with this function. What it raises becomes OperationalError: nothing of ours was sent."""

    def do_connect(dialect: Any, _record: object, args: Any, options: Any) -> Any:
        try:
            return connect(*args, **options)
        except dialect.dbapi.OperationalError:
            raise
        except Exception as error:
            raise dialect.dbapi.OperationalError(str(error) or type(error).__name__) from error

    event.listen(engine, "do_connect", do_connect)


def _disconnect_if_unsound(context: ExceptionContext) -> Exception | None:
    """Invalidates a connection after an exception outside PEP 249, and the pool after a stale prepared statement."""
    error, known = context.original_exception, context.sqlalchemy_exception
    if known is None and isinstance(error, Exception):
        raised = driver_errors.from_driver(error, str(context.statement))
        context.is_disconnect |= raised is not error
        return None if raised is error else raised
    if isinstance(known, DBAPIError) and driver_errors.is_stale_statement(known):
        context.is_disconnect = True
    return None


def _postgres_options(statement_timeout_ms: int) -> dict[str, Any]:
    return _CONNECTION | {
        "options": " ".join(f"-c {name}={value}" for name, value in session_settings(statement_timeout_ms))
    }
