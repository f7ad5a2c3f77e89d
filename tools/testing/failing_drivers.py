"""Database drivers that raise a planted exception at a chosen call, and the exceptions that they can raise."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import pkgutil
import re
import socket
import sqlite3
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import pytest

CONNECT, CLOSE = "connect", "close"
BEGIN, COMMIT, ROLLBACK = r"^BEGIN", r"^COMMIT", r"^ROLLBACK"
PACKAGES = {"sqlite": sqlite3, "asyncpg": asyncpg, "psycopg": psycopg}


@dataclass
class Fault:
    """The planted exception: raised at a call (CONNECT, CLOSE), or by statements that match a pattern.

    `after`: the statement has taken effect. `times`: how often it is raised.
    """

    call: str = "none"
    error: BaseException | None = None
    after: bool = False
    times: int = 0

    def check(self, call: str, *, after: bool = False) -> None:
        """Raises the exception if it is planted here."""
        if self.times > 0 and self.error is not None and self.after == after and re.search(self.call, call):
            self.times -= 1
            raise self.error


class FailingCursor(sqlite3.Cursor):
    """A cursor of sqlite3."""

    def execute(self, text: str, *values: Any) -> FailingCursor:
        self.connection.fault.check(text)  # type: ignore[attr-defined]
        super().execute(text, *values)
        self.connection.fault.check(text, after=True)  # type: ignore[attr-defined]
        return self


def sqlite(fault: Fault, patch: pytest.MonkeyPatch) -> None:
    """Plants the fault in sqlite3."""
    connect = sqlite3.dbapi2.connect

    class FailingConnection(sqlite3.Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            fault.check(CONNECT)
            super().__init__(*args, **options)
            self.fault = fault

        def cursor(self, *_: Any) -> Any:
            return super().cursor(FailingCursor)

        def execute(self, text: str, *values: Any) -> Any:
            return self.cursor().execute(text, *values)

        def executemany(self, text: str, *values: Any) -> Any:
            fault.check(text)
            return super().executemany(text, *values)

        def rollback(self) -> None:
            fault.check("ROLLBACK")
            super().rollback()

        def close(self) -> None:
            super().close()
            fault.check(CLOSE)

    def failing(*args: Any, **options: Any) -> Any:
        return connect(*args, **options | {"factory": FailingConnection})

    patch.setattr(sqlite3.dbapi2, "connect", failing)


class FailingStatement:
    """A prepared statement of asyncpg."""

    def __init__(self, statement: Any, text: str, fault: Fault) -> None:
        self._statement, self._text, self._fault = statement, text, fault

    async def fetch(self, *values: Any) -> Any:
        self._fault.check(self._text)
        rows = await self._statement.fetch(*values)
        self._fault.check(self._text, after=True)
        return rows

    async def executemany(self, rows: Any) -> None:
        self._fault.check(self._text)
        await self._statement.executemany(rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statement, name)


class FailingAsyncpg:
    """A connection of asyncpg."""

    def __init__(self, connection: Any, fault: Fault) -> None:
        self._connection, self._fault = connection, fault

    async def prepare(self, text: str, **options: Any) -> FailingStatement:
        return FailingStatement(await self._connection.prepare(text, **options), text, self._fault)

    def terminate(self) -> None:
        self._connection.terminate()
        self._fault.check(CLOSE)

    def is_closed(self) -> bool:
        return bool(self._connection.is_closed())


def asyncpg_driver(fault: Fault, patch: pytest.MonkeyPatch) -> None:
    """Plants the fault in asyncpg."""
    connect = asyncpg.connect

    async def failing(*args: Any, **options: Any) -> FailingAsyncpg:
        fault.check(CONNECT)
        return FailingAsyncpg(await connect(*args, **options), fault)

    patch.setattr(asyncpg, "connect", failing)


def psycopg_driver(fault: Fault, patch: pytest.MonkeyPatch) -> None:
    """Plants the fault in psycopg."""
    connect = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            fault.check(str(query))
            super().execute(query, *args, **options)
            fault.check(str(query), after=True)
            return self

        def executemany(self, query: Any, *args: Any, **options: Any) -> None:
            fault.check(str(query))
            super().executemany(query, *args, **options)

    def failing(cls: type, *args: Any, **options: Any) -> Any:
        fault.check(CONNECT)
        return connect(cls, *args, **options, cursor_factory=Cursor)

    def around(name: str, call: str) -> None:
        original = getattr(psycopg.Connection, name)

        def checked(self: Any) -> None:
            if call != CLOSE:
                fault.check(call)
            original(self)
            fault.check(call, after=call != CLOSE)

        patch.setattr(psycopg.Connection, name, checked)

    patch.setattr(psycopg.Connection, "connect", classmethod(failing))
    for name, call in (("commit", "COMMIT"), ("rollback", "ROLLBACK"), ("close", CLOSE)):
        around(name, call)


DRIVERS: dict[str, Callable[[Fault, pytest.MonkeyPatch], None]] = {
    "sqlite": sqlite, "asyncpg": asyncpg_driver, "psycopg": psycopg_driver,
}  # fmt: skip


def exceptions(driver: str, *, every: bool) -> list[Exception]:
    """An instance of each exception class of a driver, and of those of Python that a driver may raise.

    Unless `every`, classes of the same SQLSTATE class and the same parents are represented by one of them.
    """
    found = [*of_package(PACKAGES[driver].__name__), *_coded(driver), *of_python()]
    return found if every else [*{_group(error): error for error in found}.values()]


def _group(error: Exception) -> object:
    sqlstate = getattr(error, "sqlstate", None)
    if not sqlstate or sqlstate in {"0A000", "26000", "40001", "40P01", "42501", "42P05"}:
        return repr(error)
    return sqlstate[:2], type(error).__bases__


def of_package(package: str) -> list[Exception]:
    """An instance of each exception class that a package defines, found by importing all of its modules."""
    top = importlib.import_module(package)
    for found in pkgutil.walk_packages(getattr(top, "__path__", ()), f"{package}."):
        if "._test" not in found.name:
            _import(found.name)
    own = (kind for kind in _subclasses(Exception) if kind.__module__.split(".")[0] == package)
    return [_instance(kind) for kind in sorted(own, key=lambda kind: kind.__qualname__)]


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:  # it needs an optional package, so nothing of ours can raise its exceptions
        return


def _subclasses(parent: type[Exception]) -> set[type[Exception]]:
    children = set(parent.__subclasses__())
    return children.union(*map(_subclasses, children))


def _instance(kind: type[Exception]) -> Exception:
    for args in (("planted",), (), ("planted", "planted"), (1, "planted", "planted"), ("1 127.0.0.1:1",)):
        with suppress(TypeError, ValueError):
            return kind(*args)
    raise ValueError(f"Nobody knows how to make {kind}")


def _coded(driver: str) -> Iterator[Exception]:
    """Errors of SQLite with each primary result code."""
    if driver == "sqlite":
        for code in (*range(1, 29), 2067, 6410):
            error = sqlite3.DatabaseError(f"planted with code {code}")
            error.sqlite_errorcode = code
            yield error


def of_python() -> list[Exception]:
    """Exceptions of the operating system, of asyncio, and of code that reads bytes it does not understand."""
    builtin = [c for c in vars(builtins).values() if isinstance(c, type) and issubclass(c, OSError)]
    more = (
        EOFError, RuntimeError, RecursionError, MemoryError, BufferError, LookupError, KeyError, IndexError,
        AttributeError, AssertionError, TypeError, ValueError, OverflowError, ArithmeticError, struct.error,
        ssl.SSLError, socket.gaierror, asyncio.InvalidStateError, asyncio.QueueFull,
    )  # fmt: skip
    special = [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "planted"), asyncio.IncompleteReadError(b"", 1)]
    return [*(kind("planted") for kind in {*builtin, *more}), *special]
