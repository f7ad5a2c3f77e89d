"""The application in other shapes: without the database, with three hundred operations, without its lane."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import app
from models.db import connection
from models.interfaces import Stores
from tools.bench import inprocess
from tools.bench.inprocess import Application, Sample
from web.contract import document as contract

MANY = 300
SIZES: dict[str, int] = {}
Variant = Callable[[Sample], contextlib.AbstractContextManager[Application]]


@contextlib.contextmanager
def _as_it_is(sample: Sample) -> Iterator[Application]:
    yield inprocess.application(sample)


@contextlib.contextmanager
def _without_lane(sample: Sample) -> Iterator[Application]:
    yield app.create_app(replace(sample.settings, lane=False))


@contextlib.contextmanager
def _without_database(sample: Sample) -> Iterator[Application]:
    with _remembered():
        yield inprocess.application(sample)


@contextlib.contextmanager
def _with_many(sample: Sample) -> Iterator[Application]:
    document = contract.document()
    bigger = _multiplied(document)
    SIZES.update(few=_count(document), many=_count(bigger))
    with _swapped(contract, "document", lambda: bigger), _swapped(app, "_handler", _original(app._handler)):
        application = inprocess.application(sample)
    with _remembered():
        yield application


@contextlib.contextmanager
def _nothing(_sample: Sample) -> Iterator[Application]:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    yield application


ALL: dict[str, Variant] = {
    "an ASGI application that does nothing: what this machine takes for a call": _nothing,
    "as it is": _as_it_is,
    "without the lane, through Connexion's own stack": _without_lane,
    "without the database ({few} operations): rows are remembered, not read": _without_database,
    "without the database, with {many} operations": _with_many,
}


@contextlib.contextmanager
def _remembered() -> Iterator[None]:
    """Swaps the functions that run statements for ones that remember the first result of each."""
    with _swapped(connection, "one", _memory(connection.one)), _swapped(connection, "many", _memory(connection.many)):
        yield


def _memory(ask: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[int, Any] = {}

    def remembered(statement: Any, /, **binds: object) -> Any:
        if id(statement) not in known:
            known[id(statement)] = ask(statement, **binds)
        return known[id(statement)]

    return remembered


@contextlib.contextmanager
def _swapped(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _multiplied(document: dict[str, Any]) -> dict[str, Any]:
    """The contract with copies of its secured operations under paths of their own, until there are many."""
    bigger, number = copy.deepcopy(document), 0
    while _count(bigger) < MANY:
        number += 1
        for path, item in document["paths"].items():
            if "{" in path:
                bigger["paths"][f"/copy{number}{path}"] = _renamed(copy.deepcopy(item), f"_copy{number}")
    return bigger


def _renamed(item: dict[str, Any], ending: str) -> dict[str, Any]:
    for method in contract.METHODS:
        if method in item:
            item[method]["operationId"] += ending
            for response in item[method]["responses"].values():
                response.pop("links", None)
    return item


def _original(handler: Callable[[dict[str, Any], Stores], Any]) -> Callable[[dict[str, Any], Stores], Any]:
    def found(node: dict[str, Any], stores: Stores) -> Any:
        return handler(node | {"operationId": re.sub("_copy[0-9]+$", "", node["operationId"])}, stores)

    return found


def _count(document: dict[str, Any]) -> int:
    return sum(method in item for item in document["paths"].values() for method in contract.METHODS)
