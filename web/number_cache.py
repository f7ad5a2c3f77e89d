"""Numbers as text, kept for the next time: to look one up takes a fraction of the time that it takes to write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", str, bytes)
MAX_CACHED = 4096


class FormattedNumbers(dict[float, T]):
    """What `write` makes of a number, by the number; a bounded count of them is kept."""

    def __init__(self, write: Callable[[float], T]) -> None:
        super().__init__()
        self._write: Callable[[float], T] = write

    def __missing__(self, number: float) -> T:
        if len(self) >= MAX_CACHED:
            self.clear()
        text: T = self._write(number)
        self[number] = text
        return text


INTEGERS: FormattedNumbers[str] = FormattedNumbers(str)
# The last three digits of a number.
THOUSANDTHS = [f"{number:03d}" for number in range(1000)]
