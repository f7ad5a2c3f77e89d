"""Functions that the event loop runs itself: they may not wait, or must be awaited."""

from __future__ import annotations

from contextvars import ContextVar


class MustWait(Exception):
    """What the event loop was to do can only be done by a thread, which may wait."""


class Hurry:
    """One such function; what it has written must not be written once more by a thread."""

    __slots__ = ("wrote",)

    def __init__(self) -> None:
        self.wrote = False


hurried: ContextVar[Hurry | None] = ContextVar("hurried", default=None)


def give_way() -> None:
    """Raises MustWait on the event loop, which may not go on from here; RuntimeError when it is too late for that."""
    hurry = hurried.get()
    if hurry is None:
        return
    if hurry.wrote:
        raise RuntimeError("A function that has written already cannot go on in a thread: make it one transaction.")
    raise MustWait
