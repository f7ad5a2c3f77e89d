"""Compares the signature of each handler with its operation: a handler takes exactly what the contract says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from web.contract.objects import escape
from web.contract.parameters import argument_name
from web.contract.reading import OperationObject, operations
from web.exceptions import ContractError

Handler = Callable[..., Any]
# Headers that the server deals with by itself; a handler may take them too.
SERVER_HEADERS = ("idempotency-key", "if-none-match", "prefer", "x-request-id")
_COLLECTING = {
    inspect.Parameter.VAR_POSITIONAL: "`*{}` hides what it takes; name each argument.",
    inspect.Parameter.VAR_KEYWORD: "`**{}` hides what it takes; name each argument.",
    inspect.Parameter.POSITIONAL_ONLY: "`{}` is positional only; arguments are given by name.",
}


def require_matching_handlers(document: dict[str, Any], find: Callable[[str, str], Handler | None]) -> None:
    """Raises ContractError with a line per fault: the place in the contract, and file and line of the handler.

    `find` returns the handler for a tag and an operationId, or None for an operation that needs none. It raises
    ImportError or AttributeError for a handler that is missing.
    """
    faults = [fault for operation in operations(document) for fault in _faults(operation, find)]
    if faults:
        raise ContractError("\n".join(["The handlers do not match the OpenAPI document:", *faults]))


def _faults(operation: OperationObject, find: Callable[[str, str], Handler | None]) -> Iterator[str]:
    place = f"{operation.template} {operation.method}"
    pointer = f"#/paths/{escape(operation.template)}/{operation.method.lower()}"
    tag = operation.node["tags"][0]
    try:
        handler = find(tag, operation.id)
    except (ImportError, AttributeError) as error:
        yield f"{place}: {error}; write the function `{operation.id}` in handlers/{tag}.py. ({pointer})"
        return
    if handler is not None:
        yield from (f"{place}: {fault} ({pointer}; {_source(handler)})" for fault in _differences(operation, handler))


def _differences(operation: OperationObject, handler: Handler) -> Iterator[str]:
    required, allowed = arguments(operation)
    taken = inspect.signature(handler).parameters
    for name, parameter in taken.items():
        if parameter.kind in _COLLECTING:
            yield _COLLECTING[parameter.kind].format(name)
        elif name not in required | allowed:
            yield f"the handler takes `{name}`, which the contract does not have; declare it, or remove the argument."
        elif parameter.default is not parameter.empty:
            yield f"the default of `{name}` is never used; write `default` in the contract, and none in Python."
    for name in sorted(required - taken.keys()):
        yield f"the handler does not take `{name}`; add the argument, or remove it from the contract."
    yield from _coroutine(operation, handler)


def arguments(operation: OperationObject) -> tuple[set[str], set[str]]:
    """The arguments that a handler must take, and those that it may take besides."""
    headers = [name.lower() for name in operation.parameter_names("header")]
    own = ("idempotency-key",) if operation.has_own_idempotency else ()
    optional = [name for name in headers if name in SERVER_HEADERS and name not in own]
    names = [*operation.path_names, *operation.parameter_names("query"), *(set(headers) - set(optional))]
    required = {argument_name(name) for name in names} | ({"body"} if "requestBody" in operation.node else set())
    return required, {argument_name(name) for name in optional} | (set() if operation.is_public else {"caller"})


def _coroutine(operation: OperationObject, handler: Handler) -> Iterator[str]:
    """A coroutine runs on the event loop, where a transaction would block every other request."""
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        yield "the handler is a generator; return the body."
    elif inspect.iscoroutinefunction(handler) and operation.method not in ("GET", "HEAD"):
        yield "the handler is a coroutine; make it a plain function, which may use the database."


def _source(handler: Handler) -> str:
    """File and line of a function."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if code is None:
        return repr(handler)
    file = Path(code.co_filename)
    return f"{file.parent.name}/{file.name}:{code.co_firstlineno}"
