"""Classifies the drivers' errors: outage, timeout, serialization failure; translates outages into Unavailable."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from models.exceptions import Unavailable

# SQLite raises the same class for invalid SQL and for a full disk; only the error code differs.
_SQLITE_ERROR = 1
_SQLITE_BUSY = 5
_SQLITE_OUTAGE = {8, 11, 26}  # READONLY, CORRUPT, NOTADB
_POSTGRES_OUTAGE = {"25P03", "25006"}  # idle_in_transaction_session_timeout, read_only_sql_transaction
_POSTGRES_CONFLICT = {"40001", "40P01"}  # serialization_failure, deadlock_detected


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises Unavailable if the database is unreachable, busy or full. Any other error is a bug and re-raised."""
    try:
        yield
    except PoolExhausted as error:
        raise Unavailable("All database connections are in use") from error
    except DBAPIError as error:
        if is_outage(error):
            raise Unavailable("The database is not available") from error
        raise


def is_outage(error: DBAPIError) -> bool:
    """Whether the database, not the statement, caused the error."""
    if error.connection_invalidated or _sqlite_code(error) in _SQLITE_OUTAGE or _sqlstate(error) in _POSTGRES_OUTAGE:
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and _sqlite_code(error) != _SQLITE_ERROR


def is_timeout(error: BaseException) -> bool:
    """Whether the error is a timeout: the server did not respond, or another process holds the lock of the file."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, Unavailable)
    # An error from PostgreSQL has an SQLSTATE; an error of the connection has none.
    locked = _sqlite_code(error) == _SQLITE_BUSY
    return locked or (isinstance(error, OperationalError) and _sqlite_code(error) is None and not _sqlstate(error))


def is_serialization_failure(error: DBAPIError) -> bool:
    """Whether the transaction conflicted with another, so that a retry may succeed."""
    return _sqlstate(error) in _POSTGRES_CONFLICT


def _sqlite_code(error: DBAPIError) -> int | None:
    # The low byte is the primary result code, the rest is the extended code.
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
