"""Functions that the event loop runs itself: they may not wait, or must be awaited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class MustWait(Exception):
    """What the event loop was to do can only be done by a thread, which may wait."""


class Hurry:
    """One such function; what it has written must not be written once more by a thread."""

    __slots__ = ("wrote",)

    def __init__(self) -> None:
        self.wrote = False


_hurried: ContextVar[Hurry | None] = ContextVar("hurried", default=None)


@contextmanager
def hurried() -> Iterator[None]:
    """Whatever runs inside belongs to the event loop."""
    token = _hurried.set(Hurry())
    try:
        yield
    finally:
        _hurried.reset(token)


def current() -> Hurry | None:
    """The function that is running, where it is the event loop that runs it."""
    return _hurried.get()


def give_way() -> None:
    """Raises MustWait on the event loop, which may not go on from here; RuntimeError when it is too late for that."""
    hurry = _hurried.get()
    if hurry is None:
        return
    if hurry.wrote:
        raise RuntimeError("A function that has written already cannot go on in a thread: make it one transaction.")
    raise MustWait
