"""Loads Connexion and structlog without what these load though no server of ours uses it; imported before they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

# For credentials and schemas that lie on other hosts, and for tests: a fifth of a second and 20 MiB of each worker.
LAZY = ("httpx", "requests", "starlette.testclient")
# structlog paints tracebacks with it where it is installed; ours are lines of JSON, or plain.
STUBBED = ("rich",)


class LazyModule(ModuleType):
    """Stands for a module whose functions and classes are only called: it is loaded at the first call."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        return call


@contextmanager
def stubbed_imports() -> Iterator[None]:
    """What is imported inside meets stand-ins; afterwards everybody gets the real modules."""
    standing: dict[str, Any] = {name: LazyModule(name) for name in LAZY} | dict.fromkeys(STUBBED)
    new = {name: module for name, module in standing.items() if name not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


with stubbed_imports():
    import connexion
    import structlog
__all__ = ["connexion", "structlog"]
