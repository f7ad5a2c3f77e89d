"""Functions that the event loop runs itself: they may not wait, or must be awaited."""

from __future__ import annotations

from contextvars import ContextVar


class WouldBlock(Exception):
    """What the event loop was to do can only be done by a thread, which may wait."""


class LoopCall:
    """One such function; what it has written must not be written once more by a thread."""

    __slots__ = ("wrote",)

    def __init__(self) -> None:
        self.wrote = False


current_loop_call: ContextVar[LoopCall | None] = ContextVar("hurried", default=None)


def require_thread() -> None:
    """Raises MustWait on the event loop, which may not go on from here; RuntimeError when it is too late for that."""
    hurry = current_loop_call.get()
    if hurry is None:
        return
    if hurry.wrote:
        raise RuntimeError("A function that has written already cannot go on in a thread: make it one transaction.")
    raise WouldBlock
