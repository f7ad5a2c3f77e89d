"""The command line with handlers that raise, to provoke status 500 on every operation."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import handlers
from cli import start


def _replace_handlers(module: ModuleType) -> None:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not name.startswith("_"):
            setattr(module, name, _failing(function))


def _failing(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def fail(**_: object) -> Any:
        raise RuntimeError("A planted fault")

    async def fail_on_loop(**_: object) -> Any:
        fail()

    return functools.wraps(handler)(fail_on_loop) if inspect.iscoroutinefunction(handler) else fail


if __name__ == "__main__":
    for found in pkgutil.iter_modules(handlers.__path__):
        _replace_handlers(importlib.import_module(f"handlers.{found.name}"))
    start.main()
