"""How a connection to either database is opened, and the limits that it lives under."""

import secrets
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event, make_url

NAME = "music-studio"
IN_MEMORY = "sqlite://"
CONNECT_SECONDS = 2
POOL_SECONDS = 2.0
STATEMENT_MS = 2000
BUSY_MS = 2000
# Above the second after which PostgreSQL looks for a deadlock, so that one is told apart from a long wait.
LOCK_MS = 1200
IDLE_MS = 10_000
RECYCLE_SECONDS = 1800
# A replica gets less than the primary: a reader who waits for it without an answer has to ask the primary too.
REPLICA_STATEMENT_MS = 1000
# What the server is given beyond its own statement_timeout before the client hangs up.
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
    """The settings of every session of PostgreSQL that is ours alone; times in milliseconds."""
    return [
        ("statement_timeout", str(statement_timeout_ms)),
        ("lock_timeout", str(LOCK_MS)),
        ("idle_in_transaction_session_timeout", str(IDLE_MS)),
        ("timezone", "UTC"),
        # Every statement has its index. A plan made while a table was small reads or sorts all of a grown one.
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("jit", "off"),
    ]


def parse_url(url: str) -> URL:
    """The URL as SQLAlchemy's object; raises ValueError for a database that the service does not run on."""
    found = make_url(url)
    kind = found.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return found.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and found.database not in (None, "", ":memory:"):
        return found.set(drivername="sqlite+pysqlite")
    raise ValueError("The database URL must be sqlite:///<file> or postgresql://<host>/<database>.")


def is_postgres(url: str) -> bool:
    """Whether the URL is one of PostgreSQL; raises ValueError as `parse_url` does."""
    return parse_url(url).get_backend_name() == "postgresql"


def is_in_memory(url: str) -> bool:
    """Whether the URL is one that `unique_url` has made."""
    return make_url(url).query.get("vfs") == "memdb"


def unique_url(url: str) -> str:
    """The URL itself; for `sqlite://` that of a new database in memory, which all connections of the process share.

    It lives as long as one of them (SQLite's memdb VFS, since 3.36).
    """
    if url != IN_MEMORY:
        return url
    return f"sqlite+pysqlite:///file:/{secrets.token_hex(8)}?vfs=memdb&uri=true"


def is_asyncpg_compatible(url: str) -> bool:
    """Whether every word of the URL of a PostgreSQL is one that asyncpg takes; the others are libpq's alone."""
    return parse_url(url).query.keys() <= ASYNCPG_OPTIONS


def create_pooled(url: str, *, pool_size: int, statement_timeout_ms: int, prepare: bool = True) -> Engine:
    """The engine of the service. The driver commits every statement; a transaction is begun by its own BEGIN.

    Without `prepare` no statement and no setting is left in a session of PostgreSQL.
    """
    # Two connections more than there are workers: the readiness probe and the writer of keys' uses never wait for them.
    limits = {"pool_size": pool_size, "max_overflow": 2, "pool_timeout": POOL_SECONDS}
    found = parse_url(url)
    if found.get_backend_name() == "sqlite":
        return _sqlite(found, BUSY_MS, **limits)
    options = _postgres_options(statement_timeout_ms) if prepare else _CONNECTION | {"prepare_threshold": None}
    return create_engine(found, connect_args=options, pool_recycle=RECYCLE_SECONDS, **limits)


def client_timeout_seconds(statement_timeout_ms: int) -> float:
    """How long a client waits for a statement before it hangs up on a silent server."""
    return statement_timeout_ms / 1000 + CLIENT_TIMEOUT_MARGIN_SECONDS


def create_unpooled(url: str, *, wait_seconds: int) -> Engine:
    """An engine without a pool and without limits on statements, for one long task such as a migration."""
    found = parse_url(url)
    if found.get_backend_name() == "sqlite":
        return _sqlite(found, wait_seconds * 1000, poolclass=NullPool)
    return create_engine(found, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})


def _sqlite(url: URL, busy_ms: int, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"isolation_level": None}, **options)

    def prepare(connection: Any, _record: object) -> None:
        for setting in (f"busy_timeout = {busy_ms}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}").fetchall()

    event.listen(engine, "connect", prepare)
    return engine


def _postgres_options(statement_timeout_ms: int) -> dict[str, Any]:
    return _CONNECTION | {
        "options": " ".join(f"-c {name}={value}" for name, value in session_settings(statement_timeout_ms))
    }
