"""Classifies every exception that a database driver raises: bug, outage, timeout, or a conflict that a retry solves.

A bug is what the database refuses although it works: it stays the exception that it is, and a request answers 500 with
a traceback in the log. These are statements and values of ours that are wrong:

- SQLSTATE classes 21, 22, 23 and 42 (cardinality, data, integrity constraint, syntax or missing object), except
  42501, because the operator grants the privileges, and 42P05, because a pooler shares the session;
- the result codes of SQLite for the same: ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE and RANGE;
- without a code of the database: PEP 249's ProgrammingError, DataError, IntegrityError and NotSupportedError, and
  TypeError, ValueError and OverflowError for a value that the driver cannot send.

Every other exception of a driver is the database's, the network's or the connection's, and becomes Unavailable (503):
the rest of PEP 249, OSError, EOFError, RuntimeError, MemoryError, UnicodeDecodeError, struct.error and whatever else a
driver raises for bytes that it does not understand. After it the connection is closed. On another schema than this
version's, bugs are outages too (`Database.call`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolExhausted

from models.exceptions import Unavailable

_BUG_CLASSES = (ProgrammingError, DataError, IntegrityError, NotSupportedError)
_BUG_SQLSTATES = {"21", "22", "23", "42"}
_OUTAGE_SQLSTATES = {"42501", "42P05"}  # insufficient_privilege, duplicate_prepared_statement
_CONFLICT_SQLSTATES = {"40001", "40P01"}  # serialization_failure, deadlock_detected
# feature_not_supported ("cached plan must not change result type"; no statement of ours raises it for another reason)
# and invalid_sql_statement_name (the session has lost its prepared statements).
_STALE_SQLSTATES = {"0A000", "26000"}
# SQLite has one class for invalid SQL and for a full disk; only the result code differs.
_SQLITE_BUGS = {1, 18, 19, 20, 21, 25}  # ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, RANGE
_SQLITE_BUSY = 5
log = structlog.get_logger("models.db.driver_errors")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises Unavailable for an outage. Any other exception is a bug or the caller's own, and is re-raised."""
    try:
        yield
    except PoolExhausted as error:
        raise Unavailable("All database connections are in use") from error
    except DBAPIError as error:
        if is_outage(error):
            raise Unavailable("The database is not available") from error
        raise


def from_driver(error: Exception, statement: str) -> Exception:
    """The exception to raise for one that a driver raised: SQLAlchemy's, a wrong value's, else a disconnect.

    Call it only with exceptions of a driver: a RuntimeError of ours is a bug.
    """
    if isinstance(error, SQLAlchemyError) or _is_wrong_value(error):
        return error
    log.warning("unexpected exception of a database driver", failure=repr(error)[:500])
    return disconnected(error, statement)


def disconnected(error: Exception, statement: str) -> DBAPIError:
    """SQLAlchemy's exception for a connection that cannot be used any more."""
    cause = ConnectionError(f"{type(error).__name__}: {error}")
    return OperationalError(statement, None, cause, connection_invalidated=True)


def is_outage(error: DBAPIError) -> bool:
    """Whether the database caused the error, and not a statement or value of ours."""
    if error.connection_invalidated:
        return True
    sqlstate, code = _sqlstate(error), _sqlite_code(error)
    if sqlstate is not None:
        return sqlstate[:2] not in _BUG_SQLSTATES or sqlstate in _OUTAGE_SQLSTATES
    return code not in _SQLITE_BUGS if code is not None else not isinstance(error, _BUG_CLASSES)


def is_timeout(error: BaseException) -> bool:
    """Whether the error is a timeout: the server did not respond, or another process holds the lock of the file."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, Unavailable)
    # An error from PostgreSQL has an SQLSTATE; an error of the connection has none.
    locked = _sqlite_code(error) == _SQLITE_BUSY
    return locked or (isinstance(error, OperationalError) and _sqlite_code(error) is None and not _sqlstate(error))


def is_conflict(error: DBAPIError) -> bool:
    """Whether a transaction failed without effect, so that a retry may succeed: a conflict, or a stale statement."""
    return _sqlstate(error) in _CONFLICT_SQLSTATES or is_stale_statement(error)


def is_stale_statement(error: DBAPIError) -> bool:
    """Whether PostgreSQL refused a prepared statement, before it ran, because its tables have changed since."""
    return _sqlstate(error) in _STALE_SQLSTATES


def _is_wrong_value(error: Exception) -> bool:
    wrong = isinstance(error, (TypeError, ValueError, OverflowError))
    return wrong and not isinstance(error, UnicodeDecodeError)


def _sqlite_code(error: DBAPIError) -> int | None:
    # The low byte is the primary result code, the rest is the extended code.
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
