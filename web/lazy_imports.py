"""Imports Connexion and structlog without what no server uses, or only for its first page: see LAZY and STUBBED.

Import this module before anything that imports Connexion or structlog. PEP 810 (explicit lazy imports, Python 3.15)
will replace it. Decision 45.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

# Connexion needs these for remote credentials and schemas, for templates and forms, and for tests.
# uvicorn needs click and its `main` for its own command line, and a2wsgi for WSGI applications.
LAZY = ("a2wsgi", "click", "httpx", "jinja2", "python_multipart.multipart", "requests", "starlette.testclient",
        "uvicorn.main", "werkzeug.serving", "werkzeug.test", "werkzeug.wrappers")  # fmt: skip
# Connexion works without Flask, which web/flask_pages.py imports for the first page. structlog formats tracebacks with
# rich if it is installed; ours are JSON or plain text. uvicorn watches the source of a program with watchfiles.
STUBBED = ("flask", "rich", "watchfiles")


class LazyModule(ModuleType):
    """Placeholder for a module whose functions and classes are only called: the first call loads the real module."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        return call


@contextmanager
def stubbed_imports() -> Iterator[None]:
    """Imports inside this context get placeholders of LAZY and STUBBED; later imports get the real modules."""
    placeholders: dict[str, Any] = {name: LazyModule(name) for name in LAZY} | dict.fromkeys(STUBBED)
    new = {name: module for name, module in placeholders.items() if name not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


with stubbed_imports():
    import connexion
    import structlog
    import uvicorn
    import uvicorn.config
    import uvicorn.server
__all__ = ["connexion", "structlog", "uvicorn"]
