"""The one place that reads the drivers' errors: which mean that the database is away, and which mean try again."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from models.exceptions import Unavailable

# SQLite reports a mistake in our SQL with the same class as a full disk; only the code tells them apart.
_SQLITE_ERROR = 1
_SQLITE_BUSY = 5
_SQLITE_AWAY = {8, 11, 26}  # READONLY, CORRUPT, NOTADB
_POSTGRES_AWAY = {"25P03", "25006"}  # idle_in_transaction_session_timeout, read_only_sql_transaction
_POSTGRES_AGAIN = {"40001", "40P01"}  # serialization_failure, deadlock_detected


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises Unavailable where the database is away, busy or full; any other error of a driver is a bug and stays."""
    try:
        yield
    except PoolExhausted as error:
        raise Unavailable("Every connection to the database is in use") from error
    except DBAPIError as error:
        if is_outage(error):
            raise Unavailable("The database is not available") from error
        raise


def is_outage(error: DBAPIError) -> bool:
    """Whether the database, not the statement, is the cause."""
    if error.connection_invalidated or _sqlite_code(error) in _SQLITE_AWAY or _sqlstate(error) in _POSTGRES_AWAY:
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and _sqlite_code(error) != _SQLITE_ERROR


def is_timeout(error: BaseException) -> bool:
    """Whether it was waited for in vain: a server that says nothing, or a file that another process has locked."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, Unavailable)
    # A refusal by PostgreSQL has a state; what comes from the connection alone has none.
    locked = _sqlite_code(error) == _SQLITE_BUSY
    return locked or (isinstance(error, OperationalError) and _sqlite_code(error) is None and not _sqlstate(error))


def is_serialization_failure(error: DBAPIError) -> bool:
    """Whether two transactions met, so that running this one again may succeed."""
    return _sqlstate(error) in _POSTGRES_AGAIN


def _sqlite_code(error: DBAPIError) -> int | None:
    # The low byte is the primary code; the rest says more about the cause.
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
